/**
 * Sends one socket's Transitions, one after another. All results of a Transition are computed at one
 * timestamp, and every Transition starts at the version at which the one before ended.
 *
 * Order against mutations: a MutationResponse must precede any Transition whose ts reaches its
 * commit. A mutation's outcome is given out as soon as its commit is durable; a Transition waits for
 * the durability of its own ts and then for the next turn of the event loop, by which every outcome
 * that became known with it has been sent.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Engine } from "../engine/engine.js";
import type {
  FunctionRunner,
  Identity,
  QueryOutcome,
  RequestMetadata,
} from "../functions/types.js";
import { syncLimits } from "./limits.js";
import type { ServerMessage, StateModification, StateVersion } from "./protocol.js";
import { digestOf, type HeldQuery, type QuerySet } from "./querySet.js";

/** What the next Transition must reach. */
export type Target = {
  querySet: number;
  identity: number;
  who: Identity;
  request: RequestMetadata;
  /**
   * Successful mutations answered so far. The client takes one as done when a Transition after the
   * answer reaches its commit, also for a repeated answer whose commit was shown long ago.
   */
  answeredMutations: number;
};

export type TransitionPorts = {
  engine: Pick<Engine, "hold" | "subscribe" | "whenDurable">;
  runner: Pick<FunctionRunner, "query">;
  queries: QuerySet;
  /** Read once for each Transition, together with the query set. */
  target: () => Target;
  /** False stops the update: the session has told the client to authenticate anew. */
  mayRun: (who: Identity) => boolean;
  nowMs: () => number;
  /** Milliseconds the client is ahead; undefined until it said so. */
  clockSkewMs: () => number | undefined;
  /** Resolves when the socket has written the message. */
  send: (message: ServerMessage) => Promise<void>;
  /** Something broke that is not the client's doing. */
  onFault: (error: unknown) => void;
};

export class TransitionLoop {
  readonly #ports: TransitionPorts;
  #current: StateVersion = { querySet: 0, identity: 0, ts: 0n };
  #isWanted = false;
  #isRunning = false;
  #isClosed = false;
  #unsent = 0;
  /** Answered mutations as of the last Transition. */
  #confirmedMutations = 0;

  constructor(ports: TransitionPorts) {
    this.#ports = ports;
  }

  /** Something may have changed: send a Transition soon. Cheap to call often. */
  kick(): void {
    this.#isWanted = true;
    if (this.#isRunning || this.#isClosed) return;
    this.#isRunning = true;
    this.#run().catch((error: unknown) => {
      this.#isRunning = false;
      if (!this.#isClosed) this.#ports.onFault(error);
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  async #run(): Promise<void> {
    // Ends when nothing is wanted; each round answers at least one kick.
    while (this.#isWanted && !this.#isClosed && this.#unsent < syncLimits.unsentTransitionsMax) {
      // One commit invalidates several queries one by one; all of them belong into one Transition.
      await nextTurn();
      this.#isWanted = false;
      await this.#advance();
    }
    this.#isRunning = false;
  }

  async #advance(): Promise<void> {
    const { engine, queries } = this.#ports;
    const target = this.#ports.target();
    const stale = queries.stale();
    if (stale.length > 0 && !this.#ports.mayRun(target.who)) return;
    const modifications: StateModification[] = queries
      .takeRemoved()
      .map((queryId) => ({ type: "QueryRemoved", queryId }));
    const held = engine.hold();
    const startVersion = this.#current;
    const endVersion: StateVersion = {
      querySet: target.querySet,
      identity: target.identity,
      ts: held.ts,
    };
    try {
      const work = stale.map((query) => async () => this.#refresh({ query, target, ts: held.ts }));
      for (const changed of await inParallel(work, syncLimits.concurrentQueriesMax)) {
        if (changed !== null) modifications.push(changed);
      }
      await engine.whenDurable(held.ts);
    } finally {
      held.release();
    }
    await nextTurn();
    if (this.#isClosed) return;
    const hasNews =
      modifications.length > 0 ||
      endVersion.querySet !== startVersion.querySet ||
      endVersion.identity !== startVersion.identity ||
      target.answeredMutations > this.#confirmedMutations;
    if (!hasNews) return;
    this.#current = endVersion;
    this.#confirmedMutations = target.answeredMutations;
    this.#send({ startVersion, endVersion, modifications });
  }

  #send(change: {
    startVersion: StateVersion;
    endVersion: StateVersion;
    modifications: StateModification[];
  }): void {
    const skew = this.#ports.clockSkewMs();
    this.#unsent += 1;
    this.#ports
      .send({
        type: "Transition",
        ...change,
        ...(skew === undefined ? {} : { clientClockSkew: skew }),
        serverTs: Math.round(this.#ports.nowMs() * 1e6),
      })
      .then(
        () => {
          this.#unsent -= 1;
          if (this.#isWanted) this.kick();
        },
        (error: unknown) => {
          if (!this.#isClosed) this.#ports.onFault(error);
        },
      );
  }

  /** Runs one query at `ts`, watches what it read, and says what to send, if anything. */
  async #refresh(run: {
    query: HeldQuery;
    target: Target;
    ts: bigint;
  }): Promise<StateModification | null> {
    const { query, target, ts } = run;
    query.isOutdated = false;
    query.watch?.close();
    query.watch = null;
    const outcome = await this.#ports.runner.query(
      {
        componentPath: query.componentPath,
        path: query.udfPath,
        args: query.args,
        identity: target.who,
        request: target.request,
      },
      { journal: query.journal, ts },
    );
    if (this.#isClosed || !this.#ports.queries.isHeld(query)) return null;
    query.watch = this.#ports.engine.subscribe(outcome.reads, outcome.ts, () => {
      this.kick();
    });
    query.journal = outcome.journal;
    const digest = digestOf(outcome);
    if (digest === query.sentDigest) return null;
    query.sentDigest = digest;
    return toModification(query.queryId, outcome);
  }
}

function toModification(queryId: number, outcome: QueryOutcome): StateModification {
  const { logLines, journal } = outcome;
  if (outcome.ok) return { type: "QueryUpdated", queryId, value: outcome.value, logLines, journal };
  const { message, data } = outcome.error;
  return {
    type: "QueryFailed",
    queryId,
    errorMessage: message,
    ...(data === undefined ? {} : { errorData: data }),
    logLines,
    journal,
  };
}

/** Results in order of `work`, at most `limit` of them under way at once. */
async function inParallel<T>(work: (() => Promise<T>)[], limit: number): Promise<T[]> {
  const results: T[] = [];
  const queue = work.entries();
  const worker = async () => {
    for (const [position, run] of queue) results[position] = await run();
  };
  await Promise.all(Array.from({ length: Math.min(limit, work.length) }, worker));
  return results;
}
