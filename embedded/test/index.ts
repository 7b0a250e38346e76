/**
 * `convexTest`, call-compatible with the package `convex-test`, over the engine and the runtime of this
 * backend. Functions run in the realm of the test, transactions one after the other; documents are in
 * memory; time is the test's own, so fake timers work. Imports neither esbuild nor libsql.
 */
import {
  actionGeneric,
  type DataModelFromSchemaDefinition,
  getFunctionAddress,
  type GenericDataModel,
  type GenericSchema,
  mutationGeneric,
  queryGeneric,
  type SchemaDefinition,
} from "convex/server";
import { convexToJson, type JSONValue, type Value } from "convex/values";
import { FunctionFailure } from "../functions/failure.js";
import { type FunctionAddress, resolveAddress } from "../functions/paths.js";
import { TestBackend, valueOf } from "./backend.js";
import {
  type Address,
  callerOf,
  NOBODY,
  NOWHERE,
  scheduledCaller,
  type TestUser,
  userOf,
} from "./callers.js";
import { described, type Exported, type FoundFunction, INLINE } from "./functions.js";
import { fetchHttpAction } from "./httpActions.js";
import type { Glob } from "./moduleMap.js";
import { currentExecution, outsideOfRuns } from "./realm.js";
import { TestScheduler } from "./scheduler.js";
import { asThrown } from "./thrown.js";
import type { TestConvexForDataModel, TestConvexRoot, TestOptions } from "./types.js";

export type {
  TestConvex,
  TestConvexForDataModel,
  TestConvexRoot,
  TestConvexRoot as TestConvexForDataModelAndIdentity,
} from "./types.js";

/** What vite adds to modules: files by pattern, "/" being the root of the project. */
type Vite = { glob: (pattern: string) => Glob };
type Kind = "query" | "mutation" | "action";
type Handler = (ctx: never) => unknown;
type Parts = { backend: TestBackend; scheduler: TestScheduler };

/** A backend of its own, empty. Call it at the start of each test. */
export function convexTest<Schema extends GenericSchema>(
  schema?: SchemaDefinition<Schema, boolean>,
  modules?: Glob,
): TestConvexRoot<DataModelFromSchemaDefinition<SchemaDefinition<Schema, boolean>>>;
export function convexTest<Schema extends GenericSchema>(
  options: TestOptions<Schema>,
): TestConvexRoot<DataModelFromSchemaDefinition<SchemaDefinition<Schema, boolean>>>;
export function convexTest<Schema extends GenericSchema>(
  schemaOrOptions: SchemaDefinition<Schema, boolean> | TestOptions<Schema> = {},
  modules?: Glob,
): TestConvexRoot<DataModelFromSchemaDefinition<SchemaDefinition<Schema, boolean>>> {
  const options = isSchema(schemaOrOptions)
    ? { schema: schemaOrOptions, ...(modules === undefined ? {} : { modules }) }
    : schemaOrOptions;
  const backend = new TestBackend(options.transactionLimits ?? false);
  const { schema } = options;
  // The call to `glob` is replaced by vite; it must be written like this.
  const glob = options.modules ?? (import.meta as unknown as Vite).glob("/convex/**/*.*s");
  backend.mount("", exported(schema), glob);
  const scheduler = new TestScheduler(backend, scheduledCaller);
  return {
    ...accessor({ backend, scheduler }, NOBODY, NOWHERE),
    registerComponent: (componentPath, schema, glob) => {
      backend.mount(componentPath, exported(schema), glob);
    },
  };
}

function accessor<DataModel extends GenericDataModel>(
  parts: Parts,
  user: TestUser,
  address: Address,
): TestConvexForDataModel<DataModel> {
  const { backend, scheduler } = parts;
  const call =
    (kind: Kind) =>
    (called: unknown, args: Record<string, Value> = {}): Promise<unknown> =>
      typeof called === "function"
        ? run(parts, { kind, found: inline(kind, called as Handler), args, user, address })
        : byReference(parts, { kind, called, args, user, address });
  const calls = {
    query: call("query"),
    mutation: call("mutation"),
    action: call("action"),
    run: call("mutation"),
    fetch: (path: string, init?: RequestInit) =>
      fetchHttpAction(backend, { path, init, caller: callerOf(user, address) }),
    finishInProgressScheduledFunctions: () => scheduler.finishInProgress(),
    finishAllScheduledFunctions: (advanceTimers: () => void, max = ROUNDS_MAX) =>
      scheduler.finishAll(advanceTimers, max),
    withIdentity: (identity: Parameters<typeof userOf>[0]) =>
      accessor(parts, userOf(identity), address),
    withRequestMetadata: ({ ip = null, userAgent = null }: Partial<Address>) =>
      accessor(parts, user, { ip, userAgent }),
  };
  // References and handlers carry the types of arguments and results; at run time all are values.
  return calls as unknown as TestConvexForDataModel<DataModel>;
}
const ROUNDS_MAX = 100;

type Call = {
  kind: Kind;
  args: Record<string, Value>;
  user: TestUser;
  address: Address;
};

async function byReference(parts: Parts, call: Call & { called: unknown }): Promise<unknown> {
  // Checked by getFunctionAddress.
  const functionAddress = getFunctionAddress(call.called);
  const within = currentExecution();
  if (within !== null && within.tx !== null && call.kind !== "action") {
    return await nested(functionAddress, call);
  }
  try {
    const found = await parts.backend.find(resolveAddress(functionAddress, ""));
    return await run(parts, { ...call, found });
  } catch (error) {
    throw asThrown(error);
  }
}

/** Called by the test's own closure within a transaction: part of that transaction. */
async function nested(functionAddress: FunctionAddress, { kind, args }: Call): Promise<unknown> {
  const within = currentExecution();
  const text = JSON.stringify({ udfType: kind, args: convexToJson(args), ...functionAddress });
  try {
    return valueOf((await within?.asyncSyscall("1.0/runUdf", text)) ?? "null");
  } catch (error) {
    throw asThrown(error);
  }
}

async function run(
  { backend }: Parts,
  { kind, found, args, user, address }: Call & { found: FoundFunction },
): Promise<unknown> {
  assertPlain(args);
  const caller = callerOf(user, address);
  try {
    return valueOf(
      await outsideOfRuns(() => backend.run(found, { kind, args: convexToJson(args), caller })),
    );
  } catch (error) {
    throw asThrown(error);
  }
}

function inline(kind: Kind, handler: Handler): FoundFunction {
  const define = { query: queryGeneric, mutation: mutationGeneric, action: actionGeneric }[kind];
  // The handler says itself what context it takes; it has no arguments.
  const exportedFunction = define({ handler: handler as never }) as unknown as Exported;
  return described(exportedFunction, "", INLINE);
}

function assertPlain(args: unknown): void {
  if (typeof args === "object" && args !== null && !Array.isArray(args)) return;
  throw new FunctionFailure(
    `The arguments to a Convex function must be an object. Received: ${String(args)}`,
  );
}

function isSchema<Schema extends GenericSchema>(
  given: SchemaDefinition<Schema, boolean> | TestOptions<Schema>,
): given is SchemaDefinition<Schema, boolean> {
  return "tables" in given && typeof given.tables === "object";
}

/** What a schema says, as it is pushed to a deployment. */
function exported(schema: SchemaDefinition<GenericSchema, boolean> | undefined): JSONValue | null {
  if (schema === undefined) return null;
  // A method that the types of convex/server keep to themselves.
  const { export: exportSchema } = schema as unknown as { export: () => string };
  return JSON.parse(exportSchema.call(schema)) as JSONValue;
}
