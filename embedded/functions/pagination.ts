/**
 * Pages of a query. A cursor is a position in the index plus a fingerprint of the query; it can
 * only narrow the query's own range, so a forged one shows nothing new. The journal remembers
 * where a page ended, so that running it again gives the same interval: pages stay gapless.
 */
import { createHash } from "node:crypto";
import type { JSONValue } from "convex/values";
import { UserError } from "../engine/errors.js";
import { type Interval, keyAfter } from "../engine/readSet.js";
import type { Transaction } from "../engine/transaction.js";
import { FunctionFailure } from "./failure.js";
import { type QueryJson, type QueryPlan, QueryRun } from "./query.js";

export type PageRequest = {
  query: QueryJson;
  cursor: string | null;
  endCursor: string | null;
  pageSize: number;
  maximumRowsRead?: number | null;
  maximumBytesRead?: number | null;
};
export type PageJson = {
  /** JSON texts of the documents. */
  page: string[];
  isDone: boolean;
  continueCursor: string;
  splitCursor: string | null;
  pageStatus: "SplitRequired" | "SplitRecommended" | null;
};

const PAGE_SIZE_MAX = 32_000;
const SPLIT_RECOMMENDED_ROWS = 6_144;
/** Share of a limit from which a split is recommended. */
const SPLIT_SHARE = 0.75;
/** `null` is behind the last row. */
type Position = string | null;

export function readPage(tx: Transaction, plan: QueryPlan, request: PageRequest): PageJson {
  if (request.pageSize === 0) {
    throw new UserError(
      "NoDocumentsForPagination",
      "Must request at least one document while paginating.",
    );
  }
  if (request.pageSize > PAGE_SIZE_MAX) {
    throw new UserError(
      "PageSizeTooLarge",
      `Pages may hold at most ${PAGE_SIZE_MAX} documents, not ${request.pageSize}.`,
    );
  }
  const print = fingerprint(plan, request.query);
  const start = request.cursor === null ? undefined : decodeCursor(request.cursor, print);
  const end = request.endCursor === null ? undefined : decodeCursor(request.endCursor, print);
  const interval = start === null ? null : narrowed(plan, start, end);
  const read = readRows(tx, { plan, interval, request, hasEnd: end !== undefined });
  const position = end === undefined ? read.position : end;
  const middle = read.keys[Math.floor(read.keys.length / 2)];
  return {
    page: read.page,
    isDone: position === null,
    continueCursor: encodeCursor(position, print),
    splitCursor: read.keys.length > 2 && middle !== undefined ? encodeCursor(middle, print) : null,
    pageStatus: read.status,
  };
}

type Reading = {
  plan: QueryPlan;
  /** null: the cursor was at the end already. */
  interval: Interval | null;
  request: PageRequest;
  /** With a fixed end, page size and limits do not apply. */
  hasEnd: boolean;
};

function readRows(tx: Transaction, { plan, interval, request, hasEnd }: Reading) {
  const page: string[] = [];
  const keys: string[] = [];
  let bytes = 0;
  let status: PageJson["pageStatus"] = null;
  let position: Position = null;
  if (interval === null) return { page, keys, status, position };
  const rows = new QueryRun(tx, { ...plan, interval }, request.query.operators);
  const rowsMax = request.maximumRowsRead ?? Infinity;
  const bytesMax = request.maximumBytesRead ?? Infinity;
  for (let row = rows.step(); row !== null; row = rows.step()) {
    keys.push(row.key);
    if (row.version !== null) {
      page.push(row.version.json);
      bytes += row.version.size;
    }
    if (hasEnd) continue;
    const isFull = page.length >= request.pageSize;
    const isOverLimit = keys.length >= rowsMax || bytes >= bytesMax;
    if (isFull || isOverLimit) {
      position = row.key;
      if (!isFull) status = "SplitRequired";
      break;
    }
  }
  const recommendedRows = Math.min(SPLIT_RECOMMENDED_ROWS, rowsMax * SPLIT_SHARE);
  const isLong = keys.length > recommendedRows || bytes > bytesMax * SPLIT_SHARE;
  if (isLong) status ??= "SplitRecommended";
  return { page, keys, status, position };
}

/** From behind `start` through `end`, in the direction of the query. */
function narrowed(
  { interval, order }: QueryPlan,
  start: string | undefined,
  end: Position | undefined,
): Interval {
  let { lo, hi } = interval;
  if (order === "asc") {
    if (start !== undefined) lo = max(lo, keyAfter(start));
    if (typeof end === "string") hi = min(hi, keyAfter(end));
  } else {
    if (start !== undefined) hi = min(hi, start);
    if (typeof end === "string") lo = max(lo, end);
  }
  return { lo, hi };
}

const max = (a: string, b: string): string => (a > b ? a : b);
const min = (a: string | null, b: string): string => (a === null || b < a ? b : a);

/** Values and shape of the query: a cursor of another query must not be taken for one of this. */
function fingerprint(plan: QueryPlan, query: QueryJson): string {
  return createHash("sha256")
    .update(JSON.stringify([query, plan.order, plan.index.fields]))
    .digest("base64url")
    .slice(0, 16);
}

function encodeCursor(position: Position, print: string): string {
  const key = position === null ? null : Buffer.from(position, "latin1").toString("base64");
  return Buffer.from(JSON.stringify({ key, print })).toString("base64url");
}

function decodeCursor(cursor: string, print: string): Position {
  let decoded: unknown;
  try {
    decoded = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    throw invalidCursor("it is not one that a query gave out");
  }
  const { key, print: found } = (decoded ?? {}) as { key?: JSONValue; print?: JSONValue };
  if (found !== print) throw invalidCursor("it belongs to a different query");
  return typeof key === "string" ? Buffer.from(key, "base64").toString("latin1") : null;
}

/** React's paginated hook starts over when it sees exactly this data. */
const invalidCursor = (reason: string): FunctionFailure =>
  new FunctionFailure(
    `InvalidCursor: Tried to run a query starting from a cursor, but ${reason}.`,
    {
      data: { isConvexSystemError: true, paginationError: "InvalidCursor" },
    },
  );
