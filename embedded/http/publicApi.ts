/** The public HTTP API: queries, mutations and actions by path. */
import { jsonToConvex, type JSONValue, type Value } from "convex/values";
import { z } from "zod";
import { isAdmin } from "../auth/identity.js";
import type { Engine } from "../engine/engine.js";
import type { FunctionCall, FunctionRunner, Outcome } from "../functions/types.js";
import { decodeTimestamp, encodeTimestamp } from "../sync/protocol.js";
import { httpLimits } from "./limits.js";
import { RecentSnapshots } from "./recentSnapshots.js";
import { HttpError, parseForm, parseJson, type HttpRequest, type Reply } from "./request.js";
import type { Route } from "./router.js";

const json = z.custom<JSONValue>((value) => value !== undefined);
const argsForm = z
  .union([z.array(json).max(1), z.record(z.string(), json)])
  .optional()
  .transform((args): JSONValue => (Array.isArray(args) ? (args[0] ?? {}) : (args ?? {})));
const format = z.enum(["json", "convex_encoded_json"]).nullish();
const callForm = z.object({
  path: z.string().min(1),
  args: argsForm,
  format,
  componentPath: z.string().nullish(),
  ts: z.string().optional(),
});
type CallForm = z.output<typeof callForm>;

type Kind = "query" | "mutation" | "action" | "any";

export function publicApi(options: { engine: Engine; runner: FunctionRunner }): Route[] {
  const { engine, runner } = options;
  const snapshots = new RecentSnapshots(engine);
  const run = async (request: HttpRequest, form: CallForm, kind: Kind) =>
    answer(await runKind({ runner, kind, call: await toCall(request, form) }), form.format);
  const post = (kind: Kind) => async (request: HttpRequest) =>
    run(request, await request.json(callForm, httpLimits.callBytesMax), kind);
  return [
    { method: "POST", path: "/api/query", handle: post("query") },
    {
      method: "GET",
      path: "/api/query",
      handle: (request) => run(request, fromSearch(request), "query"),
    },
    { method: "POST", path: "/api/mutation", handle: post("mutation") },
    { method: "POST", path: "/api/action", handle: post("action") },
    { method: "POST", path: "/api/function", handle: post("any") },
    {
      method: "POST",
      path: /^\/api\/run\/.+$/,
      handle: async (request) => {
        const body = await request.json(callForm.omit({ path: true }), httpLimits.callBytesMax);
        return run(request, { ...body, path: pathOfRun(request.url.pathname) }, "any");
      },
    },
    {
      method: "POST",
      path: "/api/query_ts",
      handle: async () => {
        const ts = snapshots.take();
        await engine.whenDurable(ts);
        return { json: { ts: encodeTimestamp(ts) } };
      },
    },
    {
      method: "POST",
      path: "/api/query_at_ts",
      handle: async (request) => {
        const form = await request.json(callForm, httpLimits.callBytesMax);
        const ts = readTimestamp(form.ts);
        if (!snapshots.has(ts)) throw tooOld();
        return answer(await runner.query(await toCall(request, form), { ts }), form.format);
      },
    },
    { method: "POST", path: "/api/query_batch", handle: (request) => runBatch(options, request) },
  ];
}

const batchForm = z.object({ queries: z.array(callForm).max(httpLimits.batchMax) });

/** Several queries at one timestamp. */
async function runBatch(
  options: { engine: Engine; runner: FunctionRunner },
  request: HttpRequest,
): Promise<Reply> {
  const { queries } = await request.json(batchForm, httpLimits.callBytesMax);
  const held = options.engine.hold();
  try {
    const results: unknown[] = [];
    for (const form of queries) {
      const outcome = await options.runner.query(await toCall(request, form), { ts: held.ts });
      results.push(resultOf(outcome, form.format));
    }
    return { json: { results } };
  } finally {
    held.release();
  }
}

async function toCall(request: HttpRequest, form: CallForm): Promise<FunctionCall> {
  const { identity, request: metadata } = await request.caller();
  const { path, args, componentPath } = form;
  return { componentPath: componentPath ?? "", path, args, identity, request: metadata };
}

async function runKind(run: {
  runner: FunctionRunner;
  kind: Kind;
  call: FunctionCall;
}): Promise<Outcome<JSONValue>> {
  const { runner, kind, call } = run;
  switch (kind === "any" ? typeOf(runner, call) : kind) {
    case "query":
      return runner.query(call);
    case "mutation":
      return runner.mutation(call);
    case "action":
      return runner.action(call);
    case "unknown":
      return notFound(call);
  }
}

/** Others than the admin get the runner's words, which do not tell a hidden function from a missing one. */
function typeOf(runner: FunctionRunner, call: FunctionCall): Exclude<Kind, "any"> | "unknown" {
  switch (runner.udfTypeOf(call)) {
    case "Mutation":
      return "mutation";
    case "Action":
      return "action";
    case "Query":
      return "query";
    case "HttpAction":
    case null:
      return isAdmin(call.identity) ? "unknown" : "query";
  }
}

/** The official CLI looks for these words and then lists the functions there are. */
function notFound(call: FunctionCall): Outcome<JSONValue> {
  const message = `Could not find function for '${call.path}'. Did you forget to run \`npx convex dev\` or \`npx convex deploy\`?`;
  return { ok: false, error: { message, code: "NotFound" }, logLines: [] };
}

const answer = (outcome: Outcome<JSONValue>, as: CallForm["format"]): Reply => ({
  json: resultOf(outcome, as),
});

function resultOf(outcome: Outcome<JSONValue>, as: CallForm["format"]) {
  const { logLines } = outcome;
  const shown = (value: JSONValue) => (as === "convex_encoded_json" ? value : toPlainJson(value));
  if (outcome.ok) return { status: "success", value: shown(outcome.value), logLines };
  const { message: errorMessage, data } = outcome.error;
  return {
    status: "error",
    errorMessage,
    ...(data === undefined ? {} : { errorData: shown(data) }),
    logLines,
  };
}

/** The `json` format: int64 as decimal text, bytes as base64, special floats as their names. */
export function toPlainJson(encoded: JSONValue): JSONValue {
  return plain(jsonToConvex(encoded));
}

function plain(value: Value): JSONValue {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") {
    return Number.isFinite(value) && !Object.is(value, -0) ? value : specialFloat(value);
  }
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map((item: Value) => plain(item));
  if (typeof value === "object" && value !== null) {
    // Results hold no commit-timestamp placeholder: it is resolved before they are given out.
    const fields = value as Record<string, Value | undefined>;
    return Object.fromEntries(
      Object.entries(fields).flatMap(([key, inner]) =>
        inner === undefined ? [] : [[key, plain(inner)]],
      ),
    );
  }
  return value;
}

const specialFloat = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

function fromSearch(request: HttpRequest): CallForm {
  const search = request.url.searchParams;
  return parseForm(callForm, {
    path: search.get("path") ?? "",
    args: parseJson(search.get("args") ?? "{}"),
    format: search.get("format"),
  });
}

const tooOld = () =>
  new HttpError(
    400,
    "SnapshotTooOld",
    `the timestamp is not one of the last ${httpLimits.snapshotMs / 1000} s; ask /api/query_ts for a new one`,
  );

/** `/api/run/dir/file/fn` → `dir/file:fn`. */
function pathOfRun(pathname: string): string {
  const segments = decoded(pathname).split("/").slice(3);
  return `${segments.slice(0, -1).join("/")}:${segments.at(-1) ?? ""}`;
}

function decoded(pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new HttpError(400, "BadUrl", "the path is not percent-encoded UTF-8");
  }
}

function readTimestamp(encoded: string | undefined): bigint {
  try {
    return decodeTimestamp(encoded ?? "");
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new HttpError(400, "BadTimestamp", error.message);
  }
}
