/**
 * Runs scheduled functions by timers of the test, so that fake timers decide when. Rows and states
 * are those of the backend's own scheduler: a mutation's success is part of its transaction.
 */
import { convexToJson, type JSONValue, type Value } from "convex/values";
import type { Document, Transaction } from "../engine/transaction.js";
import { FunctionFailure } from "../functions/failure.js";
import { parsePath } from "../functions/paths.js";
import type { Caller, TestBackend } from "./backend.js";
import type { FoundFunction } from "./functions.js";
import { outsideOfRuns } from "./realm.js";
import { asThrown } from "./thrown.js";

const TABLE = "_scheduled_functions";
/** Turns of the real event loop after which a timer that has not fired is taken for one in the future. */
const IDLE_TURNS_MAX = 20;
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

type Job = { id: string; componentPath: string; name: string; args: JSONValue };

/** Before any test replaces it. */
const realSetTimeout = globalThis.setTimeout;
const realTurn = (): Promise<void> =>
  new Promise((resolve) => {
    realSetTimeout(resolve, 0);
  });

export class TestScheduler {
  readonly #backend: TestBackend;
  readonly #callerOf: (scheduledFunctionId: string) => Caller;
  readonly #known = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  #timers = 0;

  constructor(backend: TestBackend, callerOf: (scheduledFunctionId: string) => Caller) {
    this.#backend = backend;
    this.#callerOf = callerOf;
    backend.engine.onTableCommit(TABLE, () => {
      outsideOfRuns(() => {
        this.#look();
      });
    });
  }

  /** Resolves when nothing runs. */
  async finishInProgress(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Throws when there is still something to do after `max` rounds. */
  async finishAll(advanceTimers: () => void, max: number): Promise<void> {
    let idleTurns = 0;
    for (let round = 0; round < max; round += 1) {
      advanceTimers();
      if (this.#running.size > 0) {
        idleTurns = 0;
        await this.#finishWhileAdvancing(advanceTimers);
        continue;
      }
      if (this.#timers === 0 || idleTurns >= IDLE_TURNS_MAX) return;
      idleTurns += 1;
      await realTurn();
    }
    throw new Error(
      "finishAllScheduledFunctions: too many iterations. Check for functions that schedule themselves for ever, or increase maxIterations.",
    );
  }

  /** What runs may itself wait for timers. */
  async #finishWhileAdvancing(advanceTimers: () => void): Promise<void> {
    const state = { isDone: false };
    const finished = this.finishInProgress().finally(() => {
      state.isDone = true;
    });
    while (!state.isDone) {
      await realTurn();
      advanceTimers();
    }
    await finished;
  }

  /** Sets a timer for every pending row that has none. */
  #look(): void {
    const { engine } = this.#backend;
    const tx = engine.begin();
    const range = [{ type: "Gt", fieldPath: "nextTs", value: null }] as const;
    for (const row of tx.scan(TABLE, { index: "by_next_ts", range })) {
      if (this.#known.has(row._id)) continue;
      this.#known.add(row._id);
      this.#arm(toJob(row), Number(row["nextTs"]));
    }
    tx.abort();
  }

  #arm(job: Job, atMs: number): void {
    this.#timers += 1;
    const delayMs = Math.min(Math.max(0, atMs - Date.now()), TIMEOUT_MS_MAX);
    globalThis.setTimeout(() => {
      this.#timers -= 1;
      const run = outsideOfRuns(() => this.#run(job)).finally(() => {
        this.#running.delete(run);
      });
      this.#running.add(run);
    }, delayMs);
  }

  async #run(job: Job): Promise<void> {
    if (!(await this.#begin(job))) return;
    try {
      const found = await this.#backend.find({
        componentPath: job.componentPath,
        path: parsePath(job.name),
        isPublicOnly: false,
      });
      const kind = found.registered.udfType === "Query" ? null : found.registered.udfType;
      if (kind === null) {
        throw new FunctionFailure("Only mutations and actions can be scheduled.");
      }
      await this.#call(job, found);
    } catch (error) {
      // As convex-test does, for whoever reads the output of a test.
      // eslint-disable-next-line no-console -- see above
      console.error(`Error when running scheduled function ${job.name}`, asThrown(error));
      const message = error instanceof Error ? error.message : String(error);
      await this.#backend.transact((tx) => {
        this.#end(tx, job.id, { kind: "failed", error: message });
      });
    }
  }

  async #call(job: Job, found: FoundFunction): Promise<void> {
    const call = { args: job.args, caller: this.#callerOf(job.id) };
    const succeed = (tx: Transaction): void => {
      this.#end(tx, job.id, { kind: "success" });
    };
    if (found.registered.udfType === "Mutation") {
      await this.#backend.run(found, { ...call, kind: "mutation", beforeCommit: succeed });
      return;
    }
    await this.#backend.run(found, { ...call, kind: "action" });
    await this.#backend.transact(succeed);
  }

  /** False when it was canceled or deleted meanwhile. */
  async #begin({ id }: Job): Promise<boolean> {
    return await this.#backend.transact((tx) => {
      if (stateOf(tx.get(TABLE, id)) !== "pending") return false;
      tx.patch(TABLE, id, { state: { kind: "inProgress" } });
      return true;
    });
  }

  #end(tx: Transaction, id: string, state: Record<string, Value>): void {
    if (stateOf(tx.get(TABLE, id)) !== "inProgress") return;
    tx.patch(TABLE, id, { state, completedTime: Date.now(), nextTs: undefined });
  }
}

function stateOf(row: Document | null): Value | null {
  const state = row?.["state"];
  if (typeof state !== "object" || state === null || !("kind" in state)) return null;
  const { kind } = state;
  return typeof kind === "string" ? kind : null;
}

function toJob(row: Document): Job {
  const { _id, name, args, componentPath, targetComponentPath } = row;
  const path = targetComponentPath ?? componentPath;
  return {
    id: _id,
    componentPath: typeof path === "string" ? path : "",
    name: typeof name === "string" ? name : "",
    args: convexToJson((Array.isArray(args) ? args[0] : undefined) ?? {}),
  };
}
