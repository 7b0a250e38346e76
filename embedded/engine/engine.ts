/**
 * The database: begins transactions, commits them one at a time, keeps time, and tells those who
 * subscribed. A commit is synchronous: nothing can come between its validation and its effect.
 */
import { indexKey } from "../index/fields.js";
import type { MetaWrite, SpaceId, Store, StoreWrite } from "../store/store.js";
import { Catalog, isSystemName, systemIndexes, type Table, type TableName } from "./catalog.js";
import { type Chance, systemChance } from "./chance.js";
import { type Clock, systemClock } from "./clock.js";
import { hasCommitTs, resolveCommitTs } from "./commitTs.js";
import { DocumentVersion } from "./documents.js";
import { ConflictError } from "./errors.js";
import { History, type RowChange } from "./history.js";
import { type Limits, NO_LIMITS, Usage } from "./limits.js";
import { CommitLock } from "./commitLock.js";
import type { ReadSet } from "./readSet.js";
import { planIndexChange, planTables, type SchemaTables } from "./schemaChange.js";
import { planTakeOver, type TakeOver } from "./staging.js";
import { type Subscription, Subscriptions } from "./subscriptions.js";
import { SYSTEM_TABLES } from "./systemTables.js";
import { Transaction } from "./transaction.js";
import { WriteLog } from "./writeLog.js";
import type { PendingWrite } from "./writeSet.js";

export type { Clock } from "./clock.js";
export { ConflictError } from "./errors.js";
export type { Subscription } from "./subscriptions.js";

/** Keeps reads at `ts` possible until released. */
export type HeldSnapshot = { readonly ts: bigint; release(): void };

/** For tests: throw ConflictError to make a commit fail, anything else to crash at that point. */
export type CommitHooks = {
  beforeCommit?: (tx: Transaction) => void;
  afterCommit?: (ts: bigint) => void;
};
export type EngineOptions = {
  store: Store;
  clock?: Clock;
  chance?: Chance;
  hooks?: CommitHooks;
};

/** What a commit may change besides documents. */
export type CommitExtras = {
  meta?: readonly MetaWrite[];
  /** New schemas, one for each component: builds and drops indexes, outdates everything older. */
  schemas?: readonly SchemaTables[];
  /** Tables that are replaced whole by staged ones; outdates everything older. */
  takeOver?: readonly TakeOver[];
  /** Runs with the commit, before anything else can begin. */
  onCommitted?: () => void;
};

const NS_PER_MS = 1_000_000n;
const TS_KEY = "latestTs";
const SYSTEM_ATTEMPTS_MAX = 100;

export class Engine {
  readonly catalog: Catalog;
  readonly lock = new CommitLock();
  readonly clock: Clock;
  readonly chance: Chance;
  readonly store: Store;
  readonly #history: History;
  readonly #log: WriteLog;
  readonly #subscriptions = new Subscriptions();
  readonly #tableListeners = new Map<Table, Set<() => void>>();
  readonly #hooks: CommitHooks;
  #latestTs: bigint;
  #durableTs: bigint;
  #lastCreationTime = 0;

  constructor({ store, clock = systemClock, chance = systemChance, hooks = {} }: EngineOptions) {
    this.store = store;
    this.clock = clock;
    this.chance = chance;
    this.#hooks = hooks;
    this.catalog = new Catalog(store);
    this.#history = new History(store);
    // Not the clock's time: whatever is given out must be stored, or it could be ahead of the next
    // start when the clock is set back.
    this.#latestTs = BigInt(store.metaGet(TS_KEY) ?? "0");
    this.#durableTs = this.#latestTs;
    this.#lastCreationTime = Number(this.#latestTs / NS_PER_MS);
    if (this.#latestTs === 0n) this.#storeNextTs();
    this.#log = new WriteLog(this.#latestTs);
    this.#ensureSystemTables();
  }

  /** Timestamp of the newest commit in ns since the epoch (it may not be durable yet). */
  latestTs(): bigint {
    return this.#latestTs;
  }

  /** Resolves when every commit up to `ts` (default: the newest) is on disk. */
  async whenDurable(ts: bigint = this.#latestTs): Promise<void> {
    if (ts <= this.#durableTs) return;
    const reached = this.#latestTs;
    await this.store.flush();
    if (reached > this.#durableTs) this.#durableTs = reached;
  }

  hold(): HeldSnapshot {
    const ts = this.#latestTs;
    this.#history.enter(ts);
    let isReleased = false;
    return {
      ts,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#history.leave(ts);
      },
    };
  }

  /** At the newest snapshot, or at one that is held. Limits and checks only for functions. */
  begin(options: { ts?: bigint; limits?: Limits } = {}): Transaction {
    const snapshotTs = options.ts ?? this.#latestTs;
    if (snapshotTs !== this.#latestTs && !this.#history.isHeld(snapshotTs)) {
      throw new Error(`Snapshot ${snapshotTs.toString()} is not held.`);
    }
    this.#history.enter(snapshotTs);
    return new Transaction({
      host: {
        catalog: this.catalog,
        history: this.#history,
        nextCreationTime: () => this.#nextCreationTime(),
        idBytes: () => this.chance.idBytes(),
        onEnd: (tx) => {
          this.#history.leave(tx.snapshotTs);
        },
      },
      snapshotTs,
      usage: new Usage(options.limits ?? NO_LIMITS),
      isChecked: options.limits !== undefined,
    });
  }

  /** Throws ConflictError. Ends the transaction either way. Not durable before `whenDurable(ts)`. */
  commit(tx: Transaction, extras: CommitExtras = {}): { ts: bigint } {
    if (!tx.isOpen) throw new Error("The transaction has ended.");
    try {
      this.#hooks.beforeCommit?.(tx);
      if (tx.writes.isEmpty && Object.keys(extras).length === 0) return { ts: tx.snapshotTs };
      this.#validate(tx);
    } finally {
      tx.abort();
    }
    const ts = this.#nextTs();
    this.#apply(ts, [...tx.writes.writes()], extras);
    extras.onCommitted?.();
    this.#hooks.afterCommit?.(ts);
    return { ts };
  }

  /** Runs and commits a system transaction, again on conflict; resolves when durable. */
  async transact<T>(
    body: (tx: Transaction) => T,
    extras: CommitExtras = {},
  ): Promise<{ value: T; ts: bigint }> {
    for (let attempt = 1; ; attempt += 1) {
      await this.lock.whenFree();
      const tx = this.begin();
      try {
        const value = body(tx);
        const { ts } = this.commit(tx, extras);
        await this.whenDurable(ts);
        return { value, ts };
      } catch (error) {
        if (!(error instanceof ConflictError) || attempt === SYSTEM_ATTEMPTS_MAX) throw error;
      } finally {
        tx.abort();
      }
    }
  }

  /**
   * Calls `onInvalidated` once, in a microtask, when a commit after `ts` touches what `reads`
   * holds (at once if one already has). A new schema invalidates all.
   */
  subscribe(reads: ReadSet, ts: bigint, onInvalidated: () => void): Subscription {
    if (this.#log.conflict(reads, ts) !== null) return this.#subscriptions.addStale(onInvalidated);
    return this.#subscriptions.add(reads, onInvalidated);
  }

  /** Everything read so far is out of date: new code, a new environment. */
  invalidateAll(): void {
    this.catalog.version += 1;
    this.#storeNextTs();
    this.#log.reset(this.#latestTs);
    this.#subscriptions.invalidateAll();
  }

  /** Called in a microtask after each commit that wrote to the table. Returns the unsubscribe. */
  onTableCommit(name: TableName | string, listener: () => void): () => void {
    const table = this.catalog.table(typeof name === "string" ? { componentId: "", name } : name);
    const listeners = this.#tableListeners.get(table) ?? new Set();
    this.#tableListeners.set(table, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** User tables that hold or held documents, plus those of the schema; sorted by name. */
  listTables(componentId: string): string[] {
    return this.catalog
      .list(componentId)
      .map((table) => table.name)
      .filter((name) => !isSystemName(name));
  }

  /** Waits for durability, then closes the store. */
  async close(): Promise<void> {
    await this.store.close();
  }

  #validate(tx: Transaction): void {
    if (tx.catalogVersion !== this.catalog.version) throw new ConflictError("_schema");
    const space = this.#log.conflict(tx.reads, tx.snapshotTs);
    if (space === null) return;
    const table = space === "unknown" ? null : this.catalog.tableOfSpace(space);
    throw new ConflictError(table?.name ?? "(unknown)");
  }

  #apply(ts: bigint, writes: readonly PendingWrite[], extras: CommitExtras): void {
    const batch: StoreWrite[] = [];
    const changes: RowChange[] = [];
    const touched = new Map<SpaceId, string[]>();
    const meta = [...(extras.meta ?? []), { key: TS_KEY, value: String(ts) }];
    const tables = new Set<Table>();
    const documents: PendingWrite[] = [];
    for (const write of writes) {
      if (write.before === null && write.after === null) continue;
      tables.add(write.table);
      const final = resolved(write, ts);
      collect(final, { batch, changes, touched });
      documents.push(final);
    }
    for (const table of tables) {
      if (table.isMaterialized) continue;
      table.isMaterialized = true;
      meta.push(this.catalog.metaOf(table));
    }
    this.#history.record(ts, changes);
    this.store.commit({ writes: batch, meta });
    for (const { table, key, after } of documents) {
      this.#history.cache.set(table.byId.space, key, after);
    }
    // After the documents, so that new indexes hold them; in the same turn, hence as durable.
    this.#changeTables(extras);
    this.#latestTs = ts;
    this.#log.append({ ts, touched }, this.#history.oldestReader());
    this.#subscriptions.onCommit(touched);
    for (const table of tables) {
      for (const listener of this.#tableListeners.get(table) ?? []) queueMicrotask(listener);
    }
    if (extras.schemas !== undefined || extras.takeOver !== undefined) this.invalidateAll();
  }

  #changeTables({ schemas = [], takeOver = [] }: CommitExtras): void {
    for (const schema of schemas) {
      this.store.commit(planIndexChange(this.catalog, this.store, schema));
    }
    if (takeOver.length > 0) this.store.commit(planTakeOver(this.catalog, takeOver));
  }

  /** Adds what a newer version of the backend needs to tables written by an older one. */
  #ensureSystemTables(): void {
    const tables = SYSTEM_TABLES.filter(
      ({ name }) => this.catalog.find({ componentId: "", name }) !== null,
    ).map(({ name }) => ({ name, indexes: systemIndexes(name), check: null }));
    const plan = planTables(this.catalog, this.store, { componentId: "", tables });
    if (plan.drop.length + plan.writes.length + plan.meta.length > 0) this.store.commit(plan);
  }

  /** A new timestamp without documents. */
  #storeNextTs(): void {
    const ts = this.#nextTs();
    this.store.commit({ writes: [], meta: [{ key: TS_KEY, value: String(ts) }] });
    this.#latestTs = ts;
  }

  /** Behind every creation time given out, so that creation times go on from it after a restart. */
  #nextTs(): bigint {
    const nowMs = Math.max(Math.floor(this.clock.nowMs()), Math.ceil(this.#lastCreationTime));
    const now = BigInt(nowMs) * NS_PER_MS;
    return now > this.#latestTs ? now : this.#latestTs + 1n;
  }

  #nextCreationTime(): number {
    const now = this.clock.nowMs();
    const next = now > this.#lastCreationTime ? now : nextFloat(this.#lastCreationTime);
    this.#lastCreationTime = next;
    return next;
  }
}

function resolved(write: PendingWrite, ts: bigint): PendingWrite {
  if (write.after === null || !hasCommitTs(write.after.value)) return write;
  return { ...write, after: DocumentVersion.of(resolveCommitTs(write.after.value, ts)) };
}

type Collected = {
  batch: StoreWrite[];
  changes: RowChange[];
  touched: Map<SpaceId, string[]>;
};

/** Turns a document's change into rows; every key of either version counts as touched. */
function collect({ table, key, before, after }: PendingWrite, into: Collected): void {
  const space = table.byId.space;
  into.batch.push({ space, key, value: after?.json ?? null });
  into.changes.push({ space, key, before: before?.json ?? null });
  touch(into.touched, space, key);
  for (const index of table.indexes.values()) {
    const oldKey = before === null ? null : indexKey(index.fields, before.value);
    const newKey = after === null ? null : indexKey(index.fields, after.value);
    if (oldKey !== null) touch(into.touched, index.space, oldKey);
    if (oldKey === newKey) continue;
    if (oldKey !== null) {
      into.batch.push({ space: index.space, key: oldKey, value: null });
      into.changes.push({ space: index.space, key: oldKey, before: key });
    }
    if (newKey !== null) {
      touch(into.touched, index.space, newKey);
      into.batch.push({ space: index.space, key: newKey, value: key });
      into.changes.push({ space: index.space, key: newKey, before: null });
    }
  }
}

function touch(touched: Map<SpaceId, string[]>, space: SpaceId, key: string): void {
  const keys = touched.get(space);
  if (keys === undefined) touched.set(space, [key]);
  else keys.push(key);
}

const floatView = new DataView(new ArrayBuffer(8));
/** The next representable number above a positive one. */
function nextFloat(value: number): number {
  floatView.setFloat64(0, value);
  floatView.setBigUint64(0, floatView.getBigUint64(0) + 1n);
  return floatView.getFloat64(0);
}
