import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConflictError, Engine } from "../../embedded/engine/engine.js";
import { DEFAULT_LIMITS } from "../../embedded/engine/limits.js";
import type { RangeBound, Transaction } from "../../embedded/engine/transaction.js";
import { MemoryStore } from "../../embedded/store/memoryStore.js";

const TABLE = "rows";

function open(): Engine {
  const engine = new Engine({ store: new MemoryStore() });
  const tables = [{ name: TABLE, indexes: [{ name: "by_n", fields: ["n"] }], check: null }];
  engine.commit(engine.begin(), { schemas: [{ componentId: "", tables }] });
  return engine;
}

function put(engine: Engine, fields: { n: number; v?: number }): string {
  const tx = engine.begin();
  const id = tx.insert(TABLE, fields);
  engine.commit(tx);
  return id;
}

const between = (lo: number, hi: number): RangeBound[] => [
  { type: "Gte", fieldPath: "n", value: lo },
  { type: "Lt", fieldPath: "n", value: hi },
];
type Taking = { limit?: number; order?: "asc" | "desc" };
function take(tx: Transaction, [lo, hi]: [number, number], more: Taking = {}) {
  const { limit = Infinity, order = "asc" } = more;
  const found: number[] = [];
  for (const row of tx.scan(TABLE, { index: "by_n", range: between(lo, hi), order })) {
    found.push(Number(row["n"]));
    if (found.length >= limit) break;
  }
  return found;
}

describe("a transaction", () => {
  test("reads its own writes, in index order, and nobody else does before it commits", () => {
    const engine = open();
    const ids = [1, 3, 5].map((n) => put(engine, { n }));
    const tx = engine.begin();
    tx.insert(TABLE, { n: 4 });
    tx.remove(TABLE, ids[0] ?? "");
    tx.patch(TABLE, ids[1] ?? "", { n: 9 });
    expect(take(tx, [0, 100])).toEqual([4, 5, 9]);
    expect(take(tx, [0, 100], { order: "desc" })).toEqual([9, 5, 4]);
    expect(tx.count(tx.table(TABLE))).toBe(3);
    const other = engine.begin();
    expect(take(other, [0, 100])).toEqual([1, 3, 5]);
    other.abort();
    engine.commit(tx);
    expect(take(engine.begin(), [0, 100])).toEqual([4, 5, 9]);
  });

  test("keeps its snapshot while others commit", () => {
    const engine = open();
    const ids = Array.from({ length: 40 }, (_, n) => put(engine, { n }));
    const held = engine.hold();
    const tx = engine.begin({ ts: held.ts });
    for (const id of ids) {
      const other = engine.begin();
      other.patch(TABLE, id, { n: 1_000 });
      engine.commit(other);
    }
    put(engine, { n: 7 });
    expect(take(tx, [0, 100])).toEqual(ids.map((_, n) => n));
    expect(tx.count(tx.table(TABLE))).toBe(40);
    expect(tx.get(TABLE, ids[3] ?? "")?.["n"]).toBe(3);
    tx.abort();
    held.release();
    expect(take(engine.begin(), [0, 100])).toEqual([7]);
  });

  test("rolled back to a savepoint has forgotten what came after", () => {
    const engine = open();
    const id = put(engine, { n: 1 });
    const tx = engine.begin();
    tx.patch(TABLE, id, { n: 2 });
    const savepoint = tx.writes.savepoint();
    tx.patch(TABLE, id, { n: 3 });
    tx.insert(TABLE, { n: 4 });
    tx.remove(TABLE, id);
    tx.writes.rollbackTo(savepoint);
    expect(take(tx, [0, 100])).toEqual([2]);
    engine.commit(tx);
    expect(take(engine.begin(), [0, 100])).toEqual([2]);
  });

  test("sees the begin snapshot in a stale view, which adds nothing to what it has read", () => {
    const engine = open();
    put(engine, { n: 1 });
    const tx = engine.begin();
    tx.insert(TABLE, { n: 2 });
    expect(take(tx.staleView(), [0, 100])).toEqual([1]);
    put(engine, { n: 3 });
    expect(() => engine.commit(tx)).not.toThrow();
  });

  test("creation times grow with every insert, within and between transactions", () => {
    const engine = open();
    for (let n = 0; n < 5; n += 1) {
      const tx = engine.begin();
      tx.insert(TABLE, { n });
      tx.insert(TABLE, { n: n + 0.5 });
      engine.commit(tx);
    }
    const rows = [...engine.begin().scan(TABLE)];
    expect(rows.map((row) => row["n"])).toEqual([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5]);
    expect(new Set(rows.map((row) => row._creationTime)).size).toBe(rows.length);
  });

  test("that reads more than it may is told so", () => {
    const engine = open();
    for (let n = 0; n < 5; n += 1) put(engine, { n });
    const tx = engine.begin({ limits: { ...DEFAULT_LIMITS, documentsRead: 3 } });
    expect(() => take(tx, [0, 100])).toThrow(
      "Too many documents read in a single function execution (limit: 3).",
    );
  });
});

describe("conflicts", () => {
  test.each([
    ["a row inserted before the one taken", 1, 100, 1, 2, true],
    ["a row inserted behind the one taken", 1, 100, 1, 50, false],
    ["a row in an exhausted range", 1, 100, Infinity, 50, true],
    ["a row outside the range", 1, 100, Infinity, 200, false],
  ])(
    "%s: %s..%s limit %s against %s → conflict %s",
    (...[, lo, hi, limit, inserted, isConflict]) => {
      const engine = open();
      put(engine, { n: 10 });
      const tx = engine.begin();
      take(tx, [lo, hi], { limit });
      tx.insert(TABLE, { n: -1 });
      put(engine, { n: inserted });
      const commit = () => engine.commit(tx);
      if (isConflict) expect(commit).toThrow(ConflictError);
      else expect(commit).not.toThrow();
    },
  );

  test("name the table", () => {
    const engine = open();
    const id = put(engine, { n: 1 });
    const [a, b] = [engine.begin(), engine.begin()];
    for (const tx of [a, b]) tx.patch(TABLE, id, { n: 2 });
    engine.commit(a);
    expect(() => engine.commit(b)).toThrow(/"rows" table changed/);
  });

  test("a field that no index knows counts as well", () => {
    const engine = open();
    const id = put(engine, { n: 1, v: 1 });
    const tx = engine.begin();
    take(tx, [0, 10]);
    tx.insert(TABLE, { n: 50 });
    const other = engine.begin();
    other.patch(TABLE, id, { v: 2 });
    engine.commit(other);
    expect(() => engine.commit(tx)).toThrow(ConflictError);
  });
});

describe("subscriptions", () => {
  test("fire exactly when a commit touches what was consumed, once", async () => {
    const rows = fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { maxLength: 12 });
    const bounds = fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 30 }));
    const order = fc.constantFrom("asc" as const, "desc" as const);
    const limit = fc.integer({ min: 1, max: 6 });
    const added = fc.integer({ min: 0, max: 30 });
    await fc.assert(
      fc.asyncProperty(
        fc.record({ ns: rows, bounds, dir: order, max: limit, n: added }),
        async ({ ns, bounds: [lo, hi], dir, max, n }) => {
          const engine = open();
          for (const value of ns) put(engine, { n: value });
          const tx = engine.begin();
          const found = take(tx, [lo, hi], { limit: max, order: dir });
          tx.abort();
          let fired = 0;
          engine.subscribe(tx.reads, tx.snapshotTs, () => (fired += 1));
          put(engine, { n });
          put(engine, { n });
          await Promise.resolve();
          // Consumed: from the start of the range to the last row taken, or to its end. A new row
          // equal to the last one sorts behind it, since it is younger.
          const last = found.length >= max ? found.at(-1) : undefined;
          const isWithin = n >= lo && n < hi;
          const isConsumed =
            last === undefined || (dir === "asc" ? n < last : n > last || n === last);
          expect(fired).toBe(isWithin && isConsumed ? 1 : 0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("that come late are told at once, closed ones never", async () => {
    const engine = open();
    const tx = engine.begin();
    take(tx, [0, 10]);
    tx.abort();
    put(engine, { n: 1 });
    let late = 0;
    let closed = 0;
    engine.subscribe(tx.reads, tx.snapshotTs, () => (late += 1));
    engine.subscribe(tx.reads, engine.latestTs(), () => (closed += 1)).close();
    put(engine, { n: 2 });
    await Promise.resolve();
    expect([late, closed]).toEqual([1, 0]);
  });
});

type Step =
  | { op: "begin" | "commit"; tx: number }
  | { op: "sum"; tx: number; lo: number; hi: number }
  | { op: "move"; tx: number; from: number; to: number };

test("any interleaving of transactions has the effect of running them one after the other", () => {
  const txs = fc.integer({ min: 0, max: 3 });
  const at = fc.integer({ min: 0, max: 6 });
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ op: fc.constantFrom("begin" as const, "commit" as const), tx: txs }),
    fc.record({ op: fc.constant("sum" as const), tx: txs, lo: at, hi: at }),
    fc.record({ op: fc.constant("move" as const), tx: txs, from: at, to: at }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const engine = open();
      for (let n = 0; n < 6; n += 1) put(engine, { n, v: n });
      /** The committed state, and what each open transaction did, to be replayed at its commit. */
      const model = new Map([0, 1, 2, 3, 4, 5].map((n) => [n, n]));
      const running = new Map<number, { tx: Transaction; did: Done[] }>();
      for (const now of steps) runStep(engine, { model, running, now });
      for (const { tx } of running.values()) tx.abort();
      expect(contents(engine.begin())).toEqual(sorted(model));
    }),
    { numRuns: 500 },
  );
});

/** An operation with what it answered. */
type Done = { step: Step; answer: unknown };
type World = {
  model: Map<number, number>;
  running: Map<number, { tx: Transaction; did: Done[] }>;
  now: Step;
};
const sorted = (model: Map<number, number>) => [...model].sort(([a], [b]) => a - b);
const contents = (tx: Transaction) =>
  [...tx.scan(TABLE, { index: "by_n" })].map((row) => [row["n"], row["v"]]);

function runStep(engine: Engine, { model, running, now }: World): void {
  const open = running.get(now.tx);
  if (now.op === "begin") {
    if (open === undefined) running.set(now.tx, { tx: engine.begin(), did: [] });
  } else if (open !== undefined && now.op === "commit") {
    running.delete(now.tx);
    try {
      engine.commit(open.tx);
    } catch (error) {
      expect(error).toBeInstanceOf(ConflictError);
      return;
    }
    const hasWritten = open.did.some(({ step, answer }) => step.op === "move" && answer === true);
    // A transaction that wrote must have seen exactly what it would have seen alone, at its commit.
    if (!hasWritten) return;
    for (const { step, answer } of open.did) expect(onModel(model, step)).toEqual(answer);
  } else if (open !== undefined) {
    open.did.push({ step: now, answer: onEngine(open.tx, now) });
  }
}

/** Sums the values in a range; or moves the value of one row to a place, unless that is taken. */
function onEngine(tx: Transaction, step: Step): unknown {
  const rows = (lo: number, hi: number) => [
    ...tx.scan(TABLE, { index: "by_n", range: between(lo, hi) }),
  ];
  if (step.op === "sum") {
    return rows(step.lo, step.hi).reduce((sum, row) => sum + Number(row["v"]), 0);
  }
  if (step.op !== "move") return null;
  const [row] = rows(step.from, step.from + 1);
  if (row === undefined || rows(step.to, step.to + 1).length > 0) return false;
  tx.patch(TABLE, row._id, { n: step.to });
  return true;
}

function onModel(model: Map<number, number>, step: Step): unknown {
  if (step.op === "sum") {
    return [...model].reduce((sum, [n, v]) => (n >= step.lo && n < step.hi ? sum + v : sum), 0);
  }
  if (step.op !== "move") return null;
  const value = model.get(step.from);
  if (value === undefined || model.has(step.to)) return false;
  model.delete(step.from);
  model.set(step.to, value);
  return true;
}
