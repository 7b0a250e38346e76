import type { ReadSet } from "./readSet.js";
import type { TableName, Transaction } from "./transaction.js";

/** Where time comes from; milliseconds since the epoch, may have a fraction. */
export type Clock = { nowMs(): number };

/** Keeps reads at `ts` possible until released. */
export type HeldSnapshot = { readonly ts: bigint; release(): void };

export type Subscription = {
  /** False once a commit touched what was read. */
  readonly isValid: boolean;
  close(): void;
};

/** Why a transaction could not commit: something it read has changed. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
  readonly table: string;
  constructor(table: string) {
    super(
      `Documents read from or written to the "${table}" table changed while this mutation was being run.`,
    );
    this.table = table;
  }
}

export type CommitResult = { ts: bigint };

export interface Engine {
  /** Timestamp of the newest commit (it may not be durable yet). */
  latestTs(): bigint;
  /** Resolves when every commit up to `ts` (default: the newest) is on disk. */
  whenDurable(ts?: bigint): Promise<void>;
  hold(): HeldSnapshot;
  /** At the newest snapshot, or at one that is held. */
  begin(options?: { ts?: bigint }): Transaction;
  /** Synchronous; throws ConflictError. Not durable before `whenDurable(ts)`. */
  commit(tx: Transaction): CommitResult;
  /** Runs and commits a system transaction, again on conflict; resolves when durable. */
  transact<T>(body: (tx: Transaction) => T): Promise<{ value: T; ts: bigint }>;
  /**
   * Calls `onInvalidated` once, in a microtask, when a commit after `ts` touches what `reads`
   * holds (at once if one already has). Activation of a deployment invalidates all.
   */
  subscribe(reads: ReadSet, ts: bigint, onInvalidated: () => void): Subscription;
  /** Called in a microtask after each commit that wrote to the table. Returns the unsubscribe. */
  onTableCommit(table: TableName | string, listener: () => void): () => void;
  /** User tables that hold or held documents, plus those of the schema; sorted by name. */
  listTables(componentId: string): string[];
  /** Waits for durability, then closes the store. */
  close(): Promise<void>;
}
