/**
 * The queries under `_system/` that the official CLI asks for, on the same transactions as all
 * others, so that they can be subscribed to. Only the admin may run them.
 */
import { convexToJson, type JSONValue } from "convex/values";
import { z } from "zod";
import { isAdmin } from "../auth/identity.js";
import type { Engine } from "../engine/engine.js";
import { isSystemName } from "../engine/catalog.js";
import type { Document, TableName, Transaction } from "../engine/transaction.js";
import { definitionAt, type Deployment } from "../functions/deployment.js";
import type { Runner } from "../functions/runner.js";
import { isVisibleSystemTable, ownRange, tableName } from "../functions/systemViews.js";
import type { FunctionCall, FunctionError, QueryOutcome } from "../functions/types.js";

export type SystemQueryOptions = {
  engine: Engine;
  deployment: Deployment;
  urls: () => { cloudUrl: string; siteUrl: string };
  /** Queries that other parts of deploy/ answer. */
  more: readonly [string, SystemQuery][];
};

const PREFIX = "_system/";
const PAGE_ROWS_MAX = 10_000;

export type Ask = { tx: Transaction; args: JSONValue; componentPath: string };
export type SystemQuery = (ask: Ask) => JSONValue;

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
  run: { options: SystemQueryOptions; query: SystemQuery | undefined; call: FunctionCall },
  tx: Transaction,
): Answer {
  const { query, call } = run;
  const { componentPath } = call;
  const isRoot = componentPath === "";
  const instances = run.options.deployment.current()?.instances ?? {};
  const refuse = (message: string, code: string): Answer => ({
    ok: false,
    error: { message, code },
  });
  if (!isAdmin(call.identity) || query === undefined) {
    return refuse(`Could not find function for '${call.path}'`, "NotFound");
  }
  if (!isRoot && instances[componentPath] === undefined) {
    return refuse(`There is no component "${componentPath}"`, "NotFound");
  }
  try {
    return { ok: true, value: query({ tx, args: call.args, componentPath }) };
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
    [
      "_system/cli/tables:default",
      ({ componentPath }) => onePage(engine.listTables(componentPath).map((name) => ({ name }))),
    ],
    ["_system/cli/tableData:default", (ask) => tableData(engine, ask)],
    ["_system/cli/tableSize:default", (ask) => tableSize(engine, ask)],
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
    ["_system/cli/modules:apiSpec", (ask) => apiSpec(deployment, ask)],
    ["_system/cli/convexUrl:cloudUrl", () => urls().cloudUrl],
    ["_system/cli/convexUrl:siteUrl", () => urls().siteUrl],
    ["_system/frontend/components:list", () => []],
    ...options.more,
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
function tableData(engine: Engine, ask: Ask): JSONValue {
  const { table, order, paginationOpts } = pageForm.parse(ask.args);
  const named = requireTable(engine, { name: table, componentPath: ask.componentPath });
  const { cursor } = paginationOpts;
  const limit = Math.min(paginationOpts.numItems, PAGE_ROWS_MAX);
  const after = cursor === null || cursor === "" ? null : cursorForm.parse(JSON.parse(cursor));
  const bound = order === "asc" ? "Gte" : "Lte";
  const start =
    after === null
      ? []
      : [{ type: bound, fieldPath: "_creationTime", value: after.creationTime } as const];
  const scan = isSystemName(table)
    ? { index: "by_component", range: [ownRange(ask.componentPath), ...start], order }
    : { index: "by_creation_time", range: start, order };
  const rows = ask.tx.scan(named, scan);
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

function tableSize(engine: Engine, ask: Ask): JSONValue {
  const { tableName: name } = z.object({ tableName: z.string() }).parse(ask.args);
  const named = requireTable(engine, { name, componentPath: ask.componentPath });
  return ask.tx.count(ask.tx.table(named));
}

function requireTable(engine: Engine, table: { name: string; componentPath: string }): TableName {
  const { name, componentPath } = table;
  const isKnown = engine.listTables(componentPath).includes(name) || isVisibleSystemTable(name);
  if (!isKnown) throw new SystemQueryError(`Table "${name}" does not exist.`);
  return tableName(componentPath, name);
}

function apiSpec(deployment: Deployment, { componentPath }: Ask): JSONValue {
  const definition = definitionAt(deployment.current(), componentPath);
  const modules = Object.entries(definition?.functions ?? {});
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
