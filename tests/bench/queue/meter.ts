/**
 * Counts what functions do, from the transactions of the engine itself: each document it hands to a
 * function or takes from one, nested and stale reads included, and the read before each patch and
 * delete. The rows with which the backend keeps its own books (of scheduled functions) are not counted;
 * what a function schedules is.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { DocumentVersion } from "../../../embedded/engine/documents.js";
import type { Engine } from "../../../embedded/engine/engine.js";
import type { Limits } from "../../../embedded/engine/limits.js";
import type { Transaction } from "../../../embedded/engine/transaction.js";
import type { Runner } from "../../../embedded/functions/runner.js";
import type { FunctionCall } from "../../../embedded/functions/types.js";
import { tableByNumber } from "../../../embedded/functions/systemViews.js";
import { tableNumberOf } from "../../../embedded/values/ids.js";

export type Rows = Record<string, number>;
/** One run of a function at the top level: a call, a subscription's re-run, or a scheduled run. */
export type Run = {
  name: string;
  /** Documents by table. */
  read: Rows;
  written: Rows;
  bytesRead: number;
  bytesWritten: number;
  /** Index ranges and point reads by index, as Convex limits them. */
  ranges: number;
  scheduled: number;
  /** Attempts that lost to another transaction; what they read is not counted. */
  conflicts: number;
  ms: number;
};

export class Meter {
  readonly runner: Runner;
  #runs: Run[] = [];
  readonly #engine: Engine;
  readonly #current = new AsyncLocalStorage<Attempt[]>();

  constructor(engine: Engine, runner: Runner) {
    this.#engine = engine;
    const begin = engine.begin.bind(engine);
    engine.begin = (options) => {
      const tx = begin(options);
      // Limits are for functions; transactions of the backend itself have none.
      if (options?.limits !== undefined) this.#current.getStore()?.push(this.#attempt(tx));
      return tx;
    };
    this.runner = this.#metered(runner);
  }

  /** The runs since the last time. */
  take(): Run[] {
    return this.#runs.splice(0);
  }

  #metered(runner: Runner): Runner {
    return {
      udfTypeOf: (call) => runner.udfTypeOf(call),
      query: (call, more) => this.#count(call, () => runner.query(call, more)),
      mutation: (call, more) => this.#count(call, () => runner.mutation(call, more)),
      action: (call) => this.#count(call, () => runner.action(call)),
      runMutationWith: (call, more) => this.#count(call, () => runner.runMutationWith(call, more)),
      scheduledAction: (call, id) => this.#count(call, () => runner.scheduledAction(call, id)),
      httpAction: (request, identity, metadata) => runner.httpAction(request, identity, metadata),
    };
  }

  async #count<T extends { ok: boolean | "skipped" }>(
    call: FunctionCall,
    work: () => Promise<T>,
  ): Promise<T> {
    const attempts: Attempt[] = [];
    const startedAt = performance.now();
    const outcome = await this.#current.run(attempts, work);
    const ms = performance.now() - startedAt;
    const last = attempts.at(-1);
    if (last !== undefined && outcome.ok !== "skipped") {
      const { read, written, tx } = last;
      const used = (kind: keyof Limits) => tx.usage.used(kind);
      this.#runs.push({
        name: call.path.replace(".js", ""),
        read,
        written,
        bytesRead: used("bytesRead"),
        bytesWritten: used("bytesWritten"),
        ranges: used("databaseQueries"),
        scheduled: used("functionsScheduled"),
        conflicts: attempts.length - 1,
        ms,
      });
    }
    return outcome;
  }

  #attempt(tx: Transaction): Attempt {
    const attempt: Attempt = { tx, read: {}, written: {} };
    this.#watchReads(tx, attempt);
    const staleView = tx.staleView.bind(tx);
    tx.staleView = () => {
      const view = staleView();
      this.#watchReads(view, attempt);
      return view;
    };
    const put = tx.writes.put.bind(tx.writes);
    tx.writes.put = (write) => {
      put(write);
      add(attempt.written, write.table.name);
    };
    return attempt;
  }

  #watchReads(tx: Transaction, { read }: Attempt): void {
    const countRead = tx.countRead.bind(tx);
    tx.countRead = (version: DocumentVersion) => {
      countRead(version);
      add(read, this.#tableOf(version));
    };
  }

  #tableOf({ value }: DocumentVersion): string {
    const number = tableNumberOf(value._id);
    const table = number === null ? null : tableByNumber(this.#engine.catalog, "", number);
    return table?.name ?? "unknown";
  }
}

type Attempt = { tx: Transaction; read: Rows; written: Rows };

function add(rows: Rows, table: string): void {
  if (table.startsWith("_")) return;
  rows[table] = (rows[table] ?? 0) + 1;
}

/** All rows together. */
export const sumOf = (rows: Rows): number => Object.values(rows).reduce((sum, n) => sum + n, 0);
