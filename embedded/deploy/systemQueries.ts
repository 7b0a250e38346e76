/**
 * The queries under `_system/` that the official CLI asks for, on the same transactions as all
 * others, so that they can be subscribed to. Only the admin may run them.
 */
import { convexToJson, type JSONValue } from "convex/values";
import { z } from "zod";
import { isAdmin } from "../auth/identity.js";
import type { Engine } from "../engine/engine.js";
import type { Document, Transaction } from "../engine/transaction.js";
import type { Deployment } from "../functions/deployment.js";
import type { Runner } from "../functions/runner.js";
import type { FunctionCall, FunctionError, QueryOutcome } from "../functions/types.js";

export type SystemQueryOptions = {
  engine: Engine;
  deployment: Deployment;
  urls: () => { cloudUrl: string; siteUrl: string };
};

const PREFIX = "_system/";
/** System tables people may look at; the others are the backend's own business. */
const VISIBLE_SYSTEM_TABLES = ["_scheduled_functions"];
const PAGE_ROWS_MAX = 10_000;
/** Tables are counted only so far: the CLI asks to warn about large ones. */
const COUNT_MAX = 100_000;

type SystemQuery = (ask: { tx: Transaction; args: JSONValue }) => JSONValue;

/** A runner that also knows the system queries. */
export function withSystemQueries(runner: Runner, options: SystemQueryOptions): Runner {
  const queries = systemQueries(options);
  const isSystem = (path: string) => path.startsWith(PREFIX);
  return {
    mutation: (call, more) => runner.mutation(call, more),
    action: (call) => runner.action(call),
    httpAction: (request, identity, metadata) => runner.httpAction(request, identity, metadata),
    runMutationWith: (call, more) => runner.runMutationWith(call, more),
    scheduledAction: (call, id) => runner.scheduledAction(call, id),
    udfTypeOf: (call) => {
      if (!isSystem(call.path)) return runner.udfTypeOf(call);
      return queries.has(canonical(call.path)) && isAdmin(call.identity) ? "Query" : null;
    },
    query: async (call, more) => {
      if (!isSystem(call.path)) return runner.query(call, more);
      return runSystemQuery({ options, query: queries.get(canonical(call.path)), call }, more?.ts);
    },
  };
}

/** `dir/file.js:fn` → `dir/file:fn`, and `dir/file` → `dir/file:default`. */
function canonical(path: string): string {
  const [module = "", name = "default"] = path.split(":");
  return `${module.replace(/\.js$/, "")}:${name}`;
}

async function runSystemQuery(
  run: { options: SystemQueryOptions; query: SystemQuery | undefined; call: FunctionCall },
  ts: bigint | undefined,
): Promise<QueryOutcome> {
  const { engine } = run.options;
  const tx = engine.begin(ts === undefined ? {} : { ts });
  try {
    const answer = evaluate(run, tx);
    await engine.whenDurable(tx.snapshotTs);
    return { ...answer, logLines: [], journal: null, ts: tx.snapshotTs, reads: tx.reads };
  } finally {
    tx.abort();
  }
}

type Answer = { ok: true; value: JSONValue } | { ok: false; error: FunctionError };

function evaluate(
  run: { query: SystemQuery | undefined; call: FunctionCall },
  tx: Transaction,
): Answer {
  const { query, call } = run;
  const refuse = (message: string, code: string): Answer => ({
    ok: false,
    error: { message, code },
  });
  if (!isAdmin(call.identity) || query === undefined) {
    return refuse(`Could not find function for '${call.path}'`, "NotFound");
  }
  if (call.componentPath !== "") {
    return refuse("Components are not supported by the embedded backend yet", "NotFound");
  }
  try {
    return { ok: true, value: query({ tx, args: call.args }) };
  } catch (error) {
    if (!(error instanceof SystemQueryError) && !(error instanceof z.ZodError)) throw error;
    return refuse(error.message, "ArgumentValidation");
  }
}

class SystemQueryError extends Error {
  override name = "SystemQueryError";
}

function systemQueries(options: SystemQueryOptions): Map<string, SystemQuery> {
  const { engine, deployment, urls } = options;
  const environment = () =>
    Object.entries(deployment.environment()).map(([name, value]) => ({ name, value }));
  return new Map<string, SystemQuery>([
    ["_system/cli/tables:default", () => onePage(engine.listTables("").map((name) => ({ name })))],
    ["_system/cli/tableData:default", ({ tx, args }) => tableData(engine, { tx, args })],
    ["_system/cli/tableSize:default", ({ tx, args }) => tableSize(engine, { tx, args })],
    [
      "_system/cli/queryEnvironmentVariables:default",
      ({ tx }) => {
        watchEnvironment(tx);
        return environment();
      },
    ],
    [
      "_system/cli/queryEnvironmentVariables:get",
      ({ tx, args }) => {
        watchEnvironment(tx);
        const { name } = z.object({ name: z.string() }).parse(args);
        return environment().find((variable) => variable.name === name) ?? null;
      },
    ],
    ["_system/cli/modules:apiSpec", () => apiSpec(deployment)],
    ["_system/cli/convexUrl:cloudUrl", () => urls().cloudUrl],
    ["_system/cli/convexUrl:siteUrl", () => urls().siteUrl],
    ["_system/frontend/components:list", () => []],
  ]);
}

/** Puts the variables into the read set: a change of one makes a subscriber ask again. */
function watchEnvironment(tx: Transaction): void {
  Array.from(tx.scan("_environment_variables"));
}

const onePage = (page: JSONValue[]): JSONValue => ({ page, isDone: true, continueCursor: "" });

const pageForm = z.object({
  table: z.string(),
  order: z.enum(["asc", "desc"]).default("desc"),
  paginationOpts: z.looseObject({
    cursor: z.string().nullable(),
    numItems: z.number().int().positive(),
  }),
});
const cursorForm = z.object({ creationTime: z.number(), id: z.string() });

/** Rows by creation time; the cursor names the last row given out. */
function tableData(engine: Engine, ask: { tx: Transaction; args: JSONValue }): JSONValue {
  const { table, order, paginationOpts } = pageForm.parse(ask.args);
  requireTable(engine, table);
  const { cursor } = paginationOpts;
  const limit = Math.min(paginationOpts.numItems, PAGE_ROWS_MAX);
  const after = cursor === null || cursor === "" ? null : cursorForm.parse(JSON.parse(cursor));
  const bound = order === "asc" ? "Gte" : "Lte";
  const range =
    after === null
      ? []
      : [{ type: bound, fieldPath: "_creationTime", value: after.creationTime } as const];
  const rows = ask.tx.scan(table, { index: "by_creation_time", range, order });
  const page: Document[] = [];
  // Rows of one transaction differ in creation time; the skip ends at the row the cursor names.
  let isSkipping = after !== null;
  for (const row of rows) {
    if (isSkipping && row._creationTime === after?.creationTime) {
      isSkipping = row._id !== after.id;
      continue;
    }
    isSkipping = false;
    if (page.length === limit) return pageOf(page, { isDone: false });
    page.push(row);
  }
  return pageOf(page, { isDone: true });
}

function pageOf(page: Document[], end: { isDone: boolean }): JSONValue {
  const last = page.at(-1);
  const continueCursor =
    last === undefined ? "" : JSON.stringify({ creationTime: last._creationTime, id: last._id });
  return { page: page.map((row) => convexToJson(row)), isDone: end.isDone, continueCursor };
}

function tableSize(engine: Engine, ask: { tx: Transaction; args: JSONValue }): JSONValue {
  const { tableName } = z.object({ tableName: z.string() }).parse(ask.args);
  requireTable(engine, tableName);
  const rows = ask.tx.scan(tableName);
  let count = 0;
  while (count < COUNT_MAX && rows.next().done !== true) count += 1;
  return count;
}

function requireTable(engine: Engine, name: string): void {
  if (engine.listTables("").includes(name) || VISIBLE_SYSTEM_TABLES.includes(name)) return;
  throw new SystemQueryError(`Table "${name}" does not exist.`);
}

function apiSpec(deployment: Deployment): JSONValue {
  const modules = Object.entries(deployment.current()?.functions ?? {});
  return modules.flatMap(([path, module]) => [
    ...module.functions.map((fn): JSONValue => ({
      identifier: `${path}:${fn.name}`,
      functionType: fn.udfType,
      visibility: fn.visibility,
      args: parseValidator(fn.args),
      returns: parseValidator(fn.returns),
    })),
    ...(module.httpRoutes ?? []).map(({ route }): JSONValue => ({
      functionType: "HttpAction",
      path: route.path,
      method: route.method,
    })),
  ]);
}

/** The analysis made this text from a validator, so it is JSON. */
const parseValidator = (text: string | null): JSONValue =>
  text === null ? { type: "any" } : (JSON.parse(text) as JSONValue);
