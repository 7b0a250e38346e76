/** What a socket is told about its queries, against the same queries asked afresh. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { JSONValue } from "convex/values";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ConflictError, Engine } from "../../embedded/engine/engine.js";
import type { QueryOutcome } from "../../embedded/functions/types.js";
import { MemoryStore } from "../../embedded/store/memoryStore.js";
import type { ServerMessage, Transition } from "../../embedded/sync/protocol.js";
import { QuerySet } from "../../embedded/sync/querySet.js";
import { TransitionLoop } from "../../embedded/sync/transitions.js";
import { fireSettings } from "./fireRandom.js";

const { seed, cycles: numRuns } = fireSettings(150);
const ATTEMPTS_MAX = 50;
const TABLE = "rows";
/** Turns of the event loop after which whatever was to be sent has been sent. */
const TURNS_TO_REST = 60;
const IDENTITY = { kind: "none" } as const;
const REQUEST = { ip: null, userAgent: null, requestId: "0", authToken: null };

type Question = { lo: number; hi: number; limit: number; order: "asc" | "desc"; waits: number };
type State = readonly { id: string; n: number }[];

/** Asks the engine at a timestamp, waiting now and then in the middle, as functions do. */
async function ask(engine: Engine, question: Question, ts: bigint): Promise<QueryOutcome> {
  const tx = engine.begin({ ts });
  const found: number[] = [];
  const range = [
    { type: "Gte", fieldPath: "n", value: question.lo },
    { type: "Lt", fieldPath: "n", value: question.hi },
  ] as const;
  for (const row of tx.scan(TABLE, { index: "by_n", range, order: question.order })) {
    found.push(Number(row["n"]));
    if (found.length <= question.waits) await nextTurn();
    if (found.length >= question.limit) break;
  }
  tx.abort();
  return {
    ok: true,
    value: found,
    logLines: [],
    journal: null,
    ts: tx.snapshotTs,
    reads: tx.reads,
  };
}

/** As the real runner does: new code or a new schema in the middle means to ask again. */
async function askUntilSettled(engine: Engine, question: Question, ts: bigint) {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    try {
      return await ask(engine, question, ts);
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
    }
  }
  throw new Error("the schema changes all the time");
}

/** The answer of the model: all rows, filtered and sorted. */
function expected(state: State, { lo, hi, limit, order }: Question): number[] {
  const sign = order === "asc" ? 1 : -1;
  return state
    .map(({ n }) => n)
    .filter((n) => n >= lo && n < hi)
    .sort((a, b) => sign * (a - b))
    .slice(0, limit);
}

const at = fc.integer({ min: 0, max: 12 });
const question: fc.Arbitrary<Question> = fc.record({
  lo: at,
  hi: at,
  limit: fc.constantFrom(1, 2, 100),
  order: fc.constantFrom("asc" as const, "desc" as const),
  waits: fc.nat({ max: 3 }),
});
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant("insert" as const), n: at }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("move" as const), row: fc.nat(), n: at }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("remove" as const), row: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("add" as const), question }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("drop" as const), query: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ op: "outdate" as const }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant("wait" as const), turns: fc.nat({ max: 4 }) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Watcher {
  readonly engine = new Engine({ store: new MemoryStore() });
  readonly questions = new Map<number, Question>();
  /** The rows after each commit, by its timestamp. */
  readonly states: { ts: bigint; state: State }[] = [];
  readonly shown = new Map<number, JSONValue>();
  readonly faults: unknown[] = [];
  transitions = 0;
  runs = 0;
  readonly #queries = new QuerySet();
  readonly #all = new Map<number, Question>();
  readonly #loop: TransitionLoop;
  #version = 0;
  #client = { querySet: 0, identity: 0, ts: 0n };

  constructor() {
    const tables = [{ name: TABLE, indexes: [{ name: "by_n", fields: ["n"] }], check: null }];
    this.engine.commit(this.engine.begin(), { schemas: [{ componentId: "", tables }] });
    this.states.push({ ts: this.engine.latestTs(), state: [] });
    this.#loop = new TransitionLoop({
      engine: this.engine,
      queries: this.#queries,
      runner: {
        query: async ({ path }, options) => {
          this.runs += 1;
          const asked = this.#all.get(Number(path));
          if (asked === undefined || options?.ts === undefined) throw new Error("nobody asked");
          return askUntilSettled(this.engine, asked, options.ts);
        },
      },
      target: () => ({
        querySet: this.#version,
        identity: 0,
        who: IDENTITY,
        request: REQUEST,
        answeredMutations: 0,
      }),
      mayRun: () => true,
      nowMs: () => 0,
      clockSkewMs: () => undefined,
      send: async (message) => {
        this.#receive(message);
        await nextTurn();
      },
      onFault: (error) => {
        this.faults.push(error);
      },
    });
  }

  get state(): State {
    return this.states.at(-1)?.state ?? [];
  }

  change(step: Exclude<Step, { op: "add" | "drop" | "wait" | "outdate" }>): void {
    const row = step.op === "insert" ? undefined : this.state[step.row % this.state.length];
    if (step.op !== "insert" && row === undefined) return;
    const tx = this.engine.begin();
    let next = this.state.filter((one) => one !== row);
    if (step.op === "insert") next = [...next, { id: tx.insert(TABLE, { n: step.n }), n: step.n }];
    else if (row !== undefined && step.op === "move") {
      tx.patch(TABLE, row.id, { n: step.n });
      next = [...next, { id: row.id, n: step.n }];
    } else if (row !== undefined) tx.remove(TABLE, row.id);
    const { ts } = this.engine.commit(tx);
    this.states.push({ ts, state: next });
  }

  add(asked: Question): void {
    const queryId = this.#all.size;
    this.#all.set(queryId, asked);
    this.questions.set(queryId, asked);
    this.#modify({ type: "Add", queryId, udfPath: String(queryId), args: [] });
  }

  drop(position: number): void {
    const queryId = [...this.questions.keys()][position % Math.max(1, this.questions.size)];
    if (queryId === undefined) return;
    this.questions.delete(queryId);
    this.#modify({ type: "Remove", queryId });
  }

  close(): void {
    this.#loop.close();
    this.#queries.close();
  }

  #modify(modification: Parameters<QuerySet["apply"]>[0]): void {
    this.#queries.apply(modification);
    this.#version += 1;
    this.#loop.kick();
  }

  #receive(message: ServerMessage): void {
    expect(message.type).toBe("Transition");
    if (message.type !== "Transition") return;
    this.transitions += 1;
    expect(message.startVersion).toEqual(this.#client);
    expect(message.endVersion.ts).toBeGreaterThanOrEqual(this.#client.ts);
    this.#client = message.endVersion;
    this.#apply(message);
    // Not only what was sent: everything shown belongs to this timestamp. What the client has
    // dropped meanwhile it does not look at any more.
    const state = this.states.findLast(({ ts }) => ts <= message.endVersion.ts)?.state ?? [];
    for (const [queryId, value] of this.shown) {
      const asked = this.questions.get(queryId);
      if (asked !== undefined) expect(value).toEqual(expected(state, asked));
    }
  }

  #apply({ modifications }: Transition): void {
    for (const modification of modifications) {
      if (modification.type === "QueryRemoved") this.shown.delete(modification.queryId);
      else if (modification.type === "QueryUpdated") {
        expect(modification.value).not.toEqual(this.shown.get(modification.queryId));
        this.shown.set(modification.queryId, modification.value);
      } else throw new Error(modification.errorMessage);
    }
  }
}

async function rest(): Promise<void> {
  for (let turn = 0; turn < TURNS_TO_REST; turn += 1) await nextTurn();
}

test(`every update is what a fresh query gives at its timestamp, none is missed, none comes without cause (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: "+1" }), async (steps) => {
      const watcher = new Watcher();
      for (const now of steps) {
        if (now.op === "add") watcher.add(now.question);
        else if (now.op === "drop") watcher.drop(now.query);
        else if (now.op === "outdate") watcher.engine.invalidateAll();
        else if (now.op === "wait")
          for (let turn = 0; turn < now.turns; turn += 1) await nextTurn();
        else watcher.change(now);
      }
      await rest();
      expect(watcher.faults).toEqual([]);
      expect([...watcher.shown.keys()].sort()).toEqual([...watcher.questions.keys()].sort());
      for (const [queryId, asked] of watcher.questions) {
        expect(watcher.shown.get(queryId)).toEqual(expected(watcher.state, asked));
      }
      // At rest nothing is run or sent any more; a change that no query can see starts nothing either.
      const { transitions, runs } = watcher;
      watcher.change({ op: "insert", n: 1_000 });
      await rest();
      expect([watcher.transitions, watcher.runs]).toEqual([transitions, runs]);
      watcher.close();
    }),
    { seed, numRuns },
  );
});
