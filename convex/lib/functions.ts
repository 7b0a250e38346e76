/**
 * Authentication by construction: every public function is made by a builder of this file, and each
 * product carries its `access` mark, which a test compares with docs/permissions.md. The identity rows
 * read here (point reads, at most two a call, of rows that change with people and not with time; of a
 * heartbeat its lease) are the only use of ctx.db outside model/. No clock is read: an access token does not outlive what it
 * was made from, and prune deletes what is over.
 */
import {
  customAction,
  customCtx,
  customMutation,
  customQuery,
  NoOp,
} from "convex-helpers/server/customFunctions";
import type { Doc, Id } from "../_generated/dataModel.js";
import { internal } from "../_generated/api.js";
import { action, type ActionCtx, mutation, query, type QueryCtx } from "../_generated/server.js";
import { ROLES, type Role } from "../protocol/view.js";
import { checkArguments } from "./arguments.js";
import { fail } from "./errors.js";
import * as Env from "./env.js";

export type Access = Role | "executor" | "arguments";
/**
 * Who calls. `user.role` is what the call may do: of an API key, the lesser of its own role and its
 * user's. `sessionId` is null for an API key. `actor` is for the audit.
 */
export type Caller = {
  user: Doc<"users">;
  sessionId: Id<"sessions"> | null;
  actor: string;
};
export type ExecutorClaims = { boot: string; bootAt: number };
/** A caller as an action knows it. */
export type Person = Omit<Caller, "user"> & {
  user: { _id: Id<"users">; username: string; role: Role };
};
type Process = { executorId: Id<"executors">; boot: string };

/** Fondation's own audience: what `aud` of every token must be. */
export const AUDIENCE = "fondation";

/** Issuer of the tokens of people or of executors; also in auth.config.ts. */
export function issuer(of: "user" | "executor"): string {
  return `${Env.get("AUTH_ISSUER")}/${of}`;
}

/** Query of people with at least this role. Adds ctx.user. */
export const userQuery = (needed: Role) =>
  marked(
    customQuery(
      query,
      customCtx((ctx: QueryCtx) => requireUser(ctx, needed)),
    ),
    needed,
  );

/** Mutation of people with at least this role. Adds ctx.user. */
export const userMutation = (needed: Role) =>
  marked(
    customMutation(
      mutation,
      customCtx((ctx: QueryCtx) => requireUser(ctx, needed)),
    ),
    needed,
  );

/** Query of the registered process of an executor. Adds ctx.executor. */
export const executorQuery = marked(
  customQuery(
    query,
    customCtx((ctx: QueryCtx) => requireRegistered(ctx)),
  ),
  "executor",
);

/** Mutation of the registered process of an executor. Adds ctx.executor. */
export const executorMutation = marked(
  customMutation(
    mutation,
    customCtx((ctx: QueryCtx) => requireRegistered(ctx)),
  ),
  "executor",
);

/**
 * Mutation of the registered process of an executor, for who calls often: the lease repeats who that is,
 * so that one row is read, which nobody subscribes to. Without a lease that knows the caller it goes by
 * the executor's row, as all others do. Adds ctx.executorId, ctx.lease and, where it was read, ctx.executor.
 */
export const holderMutation = marked(
  customMutation(
    mutation,
    customCtx((ctx: QueryCtx) => requireHolder(ctx)),
  ),
  "executor",
);

/** Action of people with at least this role. Adds ctx.user; its first step is the check. */
export const userAction = (needed: Role) =>
  marked(
    customAction(
      action,
      customCtx(async (ctx: ActionCtx): Promise<Person> =>
        ctx.runQuery(internal.identity.person, { needed }),
      ),
    ),
    needed,
  );

/** Action of the registered process of an executor. Adds ctx.executor. */
export const executorAction = marked(
  customAction(
    action,
    customCtx(async (ctx: ActionCtx): Promise<{ executor: Process }> => {
      return { executor: await ctx.runQuery(internal.identity.executor, {}) };
    }),
  ),
  "executor",
);

/** For `executors:register` alone: a good identity whose process need not be the registered one. */
export const registrationMutation = marked(
  customMutation(
    mutation,
    customCtx((ctx: QueryCtx) => requireExecutor(ctx)),
  ),
  "executor",
);

/** Mutation whose arguments are the credential. The exact list of them is in a test. */
export const publicMutation = marked(customMutation(mutation, NoOp), "arguments");

/** Action whose arguments are the credential. The exact list of them is in a test. */
export const publicAction = marked(customAction(action, NoOp), "arguments");

/** Who calls, if it is somebody with at least this role; throws UNAUTHENTICATED or FORBIDDEN. */
export async function requireUser(ctx: QueryCtx, needed: Role): Promise<Caller> {
  const login = await findLogin(ctx);
  const user = login === null ? null : await ctx.db.get("users", login.row.userId);
  if (login === null || user === null || user.disabled || user.epoch !== login.row.epoch) {
    throw fail("UNAUTHENTICATED", "The session has ended: sign in again.");
  }
  const role = lesser(user.role, login.role ?? user.role);
  if (ROLES.indexOf(role) < ROLES.indexOf(needed)) {
    throw fail("FORBIDDEN", `This needs the role ${needed}; ${user.username} is ${role} here.`);
  }
  const actor = `user:${user.username}`;
  return login.role === null
    ? { user, sessionId: login.row._id, actor }
    : { user: { ...user, role }, sessionId: null, actor: `${actor} by key ${login.row.name}` };
}

type Login = { role: null; row: Doc<"sessions"> } | { role: Role; row: Doc<"apiKeys"> };

/** The session or the API key that an access token was made from; null when it is no more. */
async function findLogin(ctx: QueryCtx): Promise<Login | null> {
  const identity = await ctx.auth.getUserIdentity();
  if (identity?.issuer !== issuer("user")) throw fail("UNAUTHENTICATED", "Sign in first.");
  const { sid, key, subject } = identity;
  if (typeof sid === "string") {
    const sessionId = ctx.db.normalizeId("sessions", sid);
    const row = sessionId === null ? null : await ctx.db.get("sessions", sessionId);
    return row?.userId === subject ? { role: null, row } : null;
  }
  const apiKeyId = typeof key === "string" ? ctx.db.normalizeId("apiKeys", key) : null;
  const row = apiKeyId === null ? null : await ctx.db.get("apiKeys", apiKeyId);
  return row?.userId === subject ? { role: row.role, row } : null;
}

/** The lesser of two roles. */
export function lesser(a: Role, b: Role): Role {
  return ROLES.indexOf(a) < ROLES.indexOf(b) ? a : b;
}

async function requireExecutor(
  ctx: QueryCtx,
): Promise<{ executor: Doc<"executors">; claims: ExecutorClaims }> {
  const { executorId, epoch, boot, bootAt } = await executorClaims(ctx);
  const executor = executorId === null ? null : await ctx.db.get("executors", executorId);
  if (executor === null || typeof boot !== "string" || typeof bootAt !== "number") {
    throw fail(
      "UNAUTHENTICATED",
      "The token is not of an executor of this deployment: enrol again.",
    );
  }
  if (executor.revoked) {
    throw fail("REVOKED", `Executor ${executor.name} was revoked: enrol it again to use it.`);
  }
  if (executor.epoch !== epoch) {
    throw fail("UNAUTHENTICATED", "The token is of a key that was replaced: get a new one.");
  }
  return { executor, claims: { boot, bootAt } };
}

/** Who a token says to be of; throws UNAUTHENTICATED for tokens of people and for none. */
async function executorClaims(ctx: QueryCtx) {
  const identity = await ctx.auth.getUserIdentity();
  if (identity?.issuer !== issuer("executor")) {
    throw fail("UNAUTHENTICATED", "Only an executor with a token of its own may call this.");
  }
  const { subject, epoch, boot, bootAt } = identity;
  return { executorId: ctx.db.normalizeId("executors", subject), epoch, boot, bootAt };
}

/** The registered process that calls; throws UNAUTHENTICATED, REVOKED or SUPERSEDED. */
export async function requireRegistered(ctx: QueryCtx) {
  const { executor, claims } = await requireExecutor(ctx);
  if (executor.boot !== claims.boot) {
    const why = executor.boot === undefined ? "has not registered" : "is not the registered one";
    throw fail("SUPERSEDED", `This process of executor ${executor.name} ${why}: register, or end.`);
  }
  return { executor, claims };
}

async function requireHolder(ctx: QueryCtx): Promise<{
  executorId: Id<"executors">;
  lease: Doc<"leases"> | null;
  executor: Doc<"executors"> | null;
}> {
  const { executorId, epoch, boot } = await executorClaims(ctx);
  const lease =
    executorId === null
      ? null
      : await ctx.db
          .query("leases")
          .withIndex("by_executor", (q) => q.eq("executorId", executorId))
          .unique();
  // A lease is of the process that registered last, of its current key, and of nobody who was revoked.
  const holder = lease?.holder;
  if (holder !== undefined && holder.boot === boot && holder.epoch === epoch && lease !== null) {
    return { executorId: lease.executorId, lease, executor: null };
  }
  const { executor } = await requireRegistered(ctx);
  return { executorId: executor._id, lease, executor };
}

type Definition = { handler: (ctx: never, args: unknown) => unknown };

/**
 * Caps the arguments and puts the access mark on all that a builder makes; the builder's type stays
 * as it is. The cap comes after the identity: who may not call learns nothing about arguments.
 */
function marked<Builder extends (definition: never) => object>(
  builder: Builder,
  access: Access,
): Builder {
  const build = (definition: Definition) => {
    const handler = (ctx: never, args: unknown) => {
      checkArguments(args);
      return definition.handler(ctx, args);
    };
    // The definition as it came, its handler behind the cap.
    return Object.assign(builder({ ...definition, handler } as never), { access });
  };
  // The product only gains a property, so it is whatever the builder's overloads promise.
  return build as unknown as Builder;
}
