/** The engine against the model: everything a transaction may see, alone and beside others. */
import { convexToJson, type Value } from "convex/values";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConflictError, Engine } from "../../embedded/engine/engine.js";
import type { RangeBound, Transaction } from "../../embedded/engine/transaction.js";
import { readPage } from "../../embedded/functions/pagination.js";
import { planQuery, QueryRun, type QueryJson } from "../../embedded/functions/query.js";
import { MemoryStore } from "../../embedded/store/memoryStore.js";
import { answer, at, compare, type Documents, type ModelDoc, type Query } from "./fireModel.js";
import {
  asked,
  fields,
  indexesOf,
  path,
  schema,
  simple,
  step,
  toQuery,
  value,
  type Indexes,
  type Step,
} from "./fireGenerators.js";
import { fireSettings } from "./fireRandom.js";

const RUNS_BOUNDED = 120;
const { seed, cycles: numRuns } = fireSettings(RUNS_BOUNDED);
const generated = { seed, numRuns };
const TABLE = "rows";

function open(indexes: Indexes): Engine {
  const engine = new Engine({ store: new MemoryStore() });
  const wanted = [...indexes]
    .filter(([name]) => name !== "by_creation_time")
    .map(([name, list]) => ({ name, fields: list }));
  const tables = [{ name: TABLE, indexes: wanted, check: null }];
  engine.commit(engine.begin(), { schemas: [{ componentId: "", tables }] });
  return engine;
}

function ids(tx: Transaction, query: Query): string[] {
  const found: string[] = [];
  const range: RangeBound[] = query.range.map((bound) => ({ ...bound }));
  for (const row of tx.scan(TABLE, { index: query.index, range, order: query.order })) {
    found.push(row._id);
    if (found.length >= query.limit) break;
  }
  return found;
}

/** `own`: every document it ever wrote, kept or not. `seen`: what it observed, to be compared with the model at the commit. */
type Seen = { query: Query; found: string[] };
type Run = {
  tx: Transaction;
  documents: Map<string, ModelDoc>;
  indexes: Indexes;
  seen: Seen[];
  own: Set<string>;
};

const read = (tx: Transaction, id: string): ModelDoc => {
  const doc = tx.get(TABLE, id);
  if (doc === null) throw new Error(`${id} has just been written`);
  // A document has these fields.
  return doc;
};
const chosen = ({ documents }: Run, position: number): string | undefined =>
  [...documents.keys()][position % Math.max(1, documents.size)];

/** Does the step in the engine, predicts it in the model, and compares what can be seen. */
function take(run: Run, now: Step): void {
  const { tx, documents } = run;
  switch (now.op) {
    case "insert": {
      const id = tx.insert(TABLE, now.fields);
      const doc = read(tx, id);
      expect(doc).toEqual({ ...now.fields, _id: id, _creationTime: doc._creationTime });
      documents.set(id, doc);
      run.own.add(id);
      return;
    }
    case "ask": {
      const query = toQuery(now.ask, run.indexes, documents);
      const found = ids(tx, query);
      expect(found).toEqual(answer(documents, run.indexes, query).map((doc) => doc._id));
      run.seen.push({ query, found });
      return;
    }
    case "nested": {
      const savepoint = tx.writes.savepoint();
      const before = new Map(documents);
      for (const inner of now.steps) take(run, inner);
      if (!now.isFailing) return;
      tx.writes.rollbackTo(savepoint);
      documents.clear();
      for (const [id, doc] of before) documents.set(id, doc);
      return;
    }
    case "patch":
    case "replace":
    case "remove":
      change(run, now);
  }
}

function change(run: Run, now: Extract<Step, { op: "patch" | "replace" | "remove" }>): void {
  const { tx, documents } = run;
  const id = chosen(run, now.at);
  const old = id === undefined ? undefined : documents.get(id);
  if (id === undefined || old === undefined) return;
  run.own.add(id);
  const { _id, _creationTime, ...rest } = old;
  if (now.op === "remove") {
    tx.remove(TABLE, id);
    documents.delete(id);
    return;
  }
  if (now.op === "replace") tx.replace(TABLE, id, now.fields);
  else tx.patch(TABLE, id, { [now.field]: now.value });
  const kept = Object.entries(rest).filter(([name]) => now.op === "patch" && name !== now.field);
  const given =
    now.op === "replace" ? now.fields : now.value === undefined ? {} : { [now.field]: now.value };
  const expected = { ...Object.fromEntries(kept), ...given, _id, _creationTime };
  expect(read(tx, id)).toEqual(expected);
  documents.set(id, expected);
}

describe(`the engine does what the model does (seed ${seed})`, () => {
  test("over any schema, documents of all types, ranges, nested failures, commits and restarts", () => {
    const batches = fc.array(fc.array(step, { maxLength: 12 }), { maxLength: 6 });
    fc.assert(
      fc.property(schema, batches, (lists, transactions) => {
        const indexes = indexesOf(lists);
        let engine = open(indexes);
        const documents = new Map<string, ModelDoc>();
        for (const [n, steps] of transactions.entries()) {
          const run: Run = { tx: engine.begin(), documents, indexes, seen: [], own: new Set() };
          for (const now of steps) take(run, now);
          engine.commit(run.tx);
          // What is in the store alone is the same as what memory knew.
          if (n % 2 === 1) engine = new Engine({ store: engine.store });
        }
        const tx = engine.begin();
        expect(tx.count(tx.table(TABLE))).toBe(documents.size);
        for (const index of indexes.keys()) {
          const query: Query = { index, range: [], order: "asc", limit: Infinity };
          expect(ids(tx, query)).toEqual(answer(documents, indexes, query).map(({ _id }) => _id));
        }
      }),
      generated,
    );
  });

  test("transactions side by side: each that commits saw what it would have seen alone, in order of commit", () => {
    const who = fc.nat({ max: 2 });
    const turn = fc.record({
      who,
      what: fc.oneof(
        { weight: 12, arbitrary: step },
        { weight: 3, arbitrary: fc.constant("commit" as const) },
        { weight: 1, arbitrary: fc.constant("abort" as const) },
      ),
    });
    fc.assert(
      fc.property(
        schema,
        fc.array(fields, { maxLength: 8 }),
        fc.array(turn, { maxLength: 60, size: "+1" }),
        (lists, first, turns) => {
          const indexes = indexesOf(lists);
          const engine = open(indexes);
          const setup: Run = {
            tx: engine.begin(),
            documents: new Map(),
            indexes,
            seen: [],
            own: new Set(),
          };
          for (const given of first) take(setup, { op: "insert", fields: given });
          engine.commit(setup.tx);
          let committed: Documents = setup.documents;
          const running = new Map<number, { run: Run; base: Documents; steps: Step[] }>();
          for (const now of turns) {
            let mine = running.get(now.who);
            if (mine === undefined) {
              const run: Run = {
                tx: engine.begin(),
                documents: new Map(committed),
                indexes,
                seen: [],
                own: new Set(),
              };
              mine = { run, base: committed, steps: [] };
              running.set(now.who, mine);
            }
            if (now.what === "abort") {
              mine.run.tx.abort();
              running.delete(now.who);
            } else if (now.what === "commit") {
              running.delete(now.who);
              committed = tryCommit(engine, mine, committed);
            } else {
              mine.steps.push(now.what);
              take(mine.run, now.what);
            }
          }
          for (const { run } of running.values()) run.tx.abort();
          const query: Query = {
            index: "by_creation_time",
            range: [],
            order: "asc",
            limit: Infinity,
          };
          expect(ids(engine.begin(), query).sort()).toEqual([...committed.keys()].sort());
        },
      ),
      generated,
    );
  });

  /** The new state. Its reads must hold on the state it is committed on: then order of commit is the serial order. */
  function tryCommit(
    engine: Engine,
    mine: { run: Run; base: Documents },
    committed: Documents,
  ): Documents {
    const { run, base } = mine;
    const hasWritten = !run.tx.writes.isEmpty;
    try {
      engine.commit(run.tx);
    } catch (error) {
      expect(error).toBeInstanceOf(ConflictError);
      // Never in vain: there was somebody to lose to.
      expect(committed).not.toBe(base);
      return committed;
    }
    if (!hasWritten) return committed;
    const next = new Map(committed);
    for (const [id, doc] of run.documents) if (doc !== base.get(id)) next.set(id, doc);
    for (const id of base.keys()) if (!run.documents.has(id)) next.delete(id);
    const isOwn = (id: string) => run.own.has(id);
    for (const { query, found } of run.seen) {
      // What it wrote itself was compared when it was seen; here it is what others wrote.
      if (query.limit < 1_000) continue;
      const now = answer(committed, run.indexes, query).map(({ _id }) => _id);
      expect(found.filter((id) => !isOwn(id))).toEqual(now.filter((id) => !isOwn(id)));
    }
    return next;
  }
});

const literal = (given: Value | undefined) => ({
  $literal: given === undefined ? { $undefined: null } : convexToJson(given),
});

test(`filters compare as the documented order says (seed ${seed})`, () => {
  const ops = fc.constantFrom("$eq", "$neq", "$lt", "$lte", "$gt", "$gte");
  fc.assert(
    fc.property(
      fc.record({
        rows: fc.array(fields, { maxLength: 8 }),
        op: ops,
        fieldPath: path,
        against: fc.option(value, { nil: undefined }),
      }),
      ({ rows, op, fieldPath, against }) => {
        const engine = open(indexesOf([]));
        const tx = engine.begin();
        const docs = rows.map((given) => read(tx, tx.insert(TABLE, given)));
        const query: QueryJson = {
          source: { type: "FullTableScan", tableName: TABLE, order: "asc" },
          operators: [{ filter: { [op]: [{ $field: fieldPath }, literal(against)] } }],
        };
        const stream = new QueryRun(tx, planQuery(tx, "", query), query.operators);
        const found: unknown[] = [];
        for (let row = stream.next(); row !== null; row = stream.next()) found.push(row.value._id);
        const holds: Record<string, (order: number) => boolean> = {
          $eq: (order) => order === 0,
          $neq: (order) => order !== 0,
          $lt: (order) => order < 0,
          $lte: (order) => order <= 0,
          $gt: (order) => order > 0,
          $gte: (order) => order >= 0,
        };
        const expected = docs.filter((doc) => holds[op]?.(compare(at(doc, fieldPath), against)));
        expect(found).toEqual(expected.map(({ _id }) => _id));
      },
    ),
    generated,
  );
});

test(`pages read while rows move join without gap or double when read again to their ends (seed ${seed})`, () => {
  const moves = fc.array(fc.array(simple, { maxLength: 4 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(
      fc.record({
        rows: fc.array(fields, { maxLength: 20 }),
        turns: moves,
        ask: asked,
        pageSize: fc.integer({ min: 1, max: 4 }),
      }),
      ({ rows, turns, ask, pageSize }) => {
        const indexes = indexesOf([["a"], ["b", "a"], ["a.b"]]);
        const engine = open(indexes);
        const setup: Run = {
          tx: engine.begin(),
          documents: new Map(),
          indexes,
          seen: [],
          own: new Set(),
        };
        for (const given of rows) take(setup, { op: "insert", fields: given });
        engine.commit(setup.tx);
        const wanted = { ...toQuery(ask, indexes, setup.documents), limit: Infinity };
        const query: QueryJson = {
          source: {
            type: "IndexRange",
            indexName: `${TABLE}.${wanted.index}`,
            range: wanted.range.map((bound) => ({
              ...bound,
              value: bound.value === undefined ? { $undefined: null } : convexToJson(bound.value),
            })),
            order: wanted.order,
          },
          operators: [],
        };
        const readAt = (cursor: string | null, endCursor: string | null) => {
          const tx = engine.begin();
          const result = readPage(tx, planQuery(tx, "", query), {
            query,
            cursor,
            endCursor,
            pageSize,
          });
          tx.abort();
          // Documents are JSON objects with an id.
          return { ...result, ids: result.page.map((json) => (JSON.parse(json) as ModelDoc)._id) };
        };
        const ends: (string | null)[] = [null];
        for (const turn of turns) {
          const { isDone, continueCursor } = readAt(ends.at(-1) ?? null, null);
          ends.push(continueCursor);
          const run: Run = {
            tx: engine.begin(),
            documents: setup.documents,
            indexes,
            seen: [],
            own: new Set(),
          };
          for (const now of turn) take(run, now);
          engine.commit(run.tx);
          if (isDone) break;
        }
        const held = ends.slice(1).flatMap((end, n) => readAt(ends[n] ?? null, end).ids);
        const last = ends.at(-1) ?? null;
        const rest: string[] = [];
        for (let cursor = last, isDone = false; !isDone;) {
          const page = readAt(cursor, null);
          rest.push(...page.ids);
          cursor = page.continueCursor;
          isDone = page.isDone;
        }
        expect([...held, ...rest]).toEqual(
          answer(setup.documents, indexes, wanted).map(({ _id }) => _id),
        );
      },
    ),
    generated,
  );
});
