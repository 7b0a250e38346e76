/** The shape of what `convexTest` gives: that of the package `convex-test`, so that suites run on both. */
import type {
  DataModelFromSchemaDefinition,
  FunctionReference,
  FunctionReturnType,
  FunctionVisibility,
  GenericActionCtx,
  GenericDataModel,
  GenericMutationCtx,
  GenericQueryCtx,
  GenericSchema,
  OptionalRestArgs,
  RequestMetadata,
  SchemaDefinition,
  UserIdentity,
} from "convex/server";
import type { Limits } from "../engine/limits.js";
import type { Glob } from "./moduleMap.js";

type AnyReference<Type extends "query" | "mutation" | "action"> = FunctionReference<
  Type,
  FunctionVisibility
>;
/** Calls a function by its reference, or an inline one that is given nothing but a context. */
type Caller<Type extends "query" | "mutation" | "action", Ctx> = <
  Called extends AnyReference<Type> | ((ctx: Ctx) => Promise<unknown>),
>(
  called: Called,
  ...args: Called extends AnyReference<Type> ? OptionalRestArgs<Called> : []
) => Promise<
  Called extends AnyReference<Type>
    ? FunctionReturnType<Called>
    : Called extends (ctx: Ctx) => Promise<infer Output>
      ? Output
      : never
>;

export type TestConvexForDataModel<DataModel extends GenericDataModel> = {
  query: Caller<"query", GenericQueryCtx<DataModel>>;
  mutation: Caller<"mutation", GenericMutationCtx<DataModel>>;
  action: Caller<"action", GenericActionCtx<DataModel>>;
  /** A mutation that may also store and read files, and write system tables. */
  run: <Output>(
    handler: (
      ctx: GenericMutationCtx<DataModel> & Pick<GenericActionCtx<DataModel>, "storage">,
    ) => Promise<Output>,
  ) => Promise<Output>;
  /** Calls the HTTP action that http.ts routes the path to. */
  fetch: (pathQueryFragment: string, init?: RequestInit) => Promise<Response>;
  /** Resolves when no scheduled function runs; those whose time has not come are not waited for. */
  finishInProgressScheduledFunctions: () => Promise<void>;
  /** Advances the timers and waits, until nothing is scheduled; at most `max` (100) times. */
  finishAllScheduledFunctions: (advanceTimers: () => void, max?: number) => Promise<void>;
  /** The same backend, called by this user. What identifies the user is made up where left out. */
  withIdentity: (identity: Partial<UserIdentity>) => TestConvexForDataModel<DataModel>;
  /** The same backend, called from this address. */
  withRequestMetadata: (
    metadata: Partial<Pick<RequestMetadata, "ip" | "userAgent">>,
  ) => TestConvexForDataModel<DataModel>;
};
export type TestConvexRoot<DataModel extends GenericDataModel> =
  TestConvexForDataModel<DataModel> & {
    /** Makes the component's functions callable at this path ("a", "a/b"). */
    registerComponent: (
      componentPath: string,
      schema: SchemaDefinition<GenericSchema, boolean>,
      modules: Glob,
    ) => void;
  };
export type TestConvex<Schema extends SchemaDefinition<GenericSchema, boolean>> = TestConvexRoot<
  DataModelFromSchemaDefinition<Schema>
>;

export type TestOptions<Schema extends GenericSchema> = {
  schema?: SchemaDefinition<Schema, boolean>;
  /** Of the folder of functions, `_generated` included; left out: those of `/convex`. */
  modules?: Glob;
  /** false (left out): counted, not enforced. true: Convex's own. An object tightens some of them. */
  transactionLimits?: Partial<Limits> | boolean;
};
