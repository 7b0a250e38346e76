/**
 * Authentication by construction: every public function is made by a builder of this file, and each
 * product carries its `access` mark, which a test demands. The identity rows read here (point reads,
 * at most two a call) are the only use of ctx.db outside model/.
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
import { fail } from "./errors.js";
import * as Env from "./env.js";

export type Access = Role | "executor" | "arguments";
export type Caller = { user: Doc<"users">; sessionId: Id<"sessions"> };
export type ExecutorClaims = { boot: string; bootAt: number };
/** A caller as an action knows it. */
type Person = { username: string; role: Role };
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

/** Action of people with at least this role. Adds ctx.user; its first step is the check. */
export const userAction = (needed: Role) =>
  marked(
    customAction(
      action,
      customCtx(async (ctx: ActionCtx): Promise<{ user: Person }> => {
        return { user: await ctx.runQuery(internal.identity.person, { needed }) };
      }),
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

/** The person who calls; throws UNAUTHENTICATED or FORBIDDEN. */
export async function requireUser(ctx: QueryCtx, needed: Role): Promise<Caller> {
  const identity = await ctx.auth.getUserIdentity();
  if (identity?.issuer !== issuer("user")) throw fail("UNAUTHENTICATED", "Sign in first.");
  const sid = identity["sid"];
  const sessionId = typeof sid === "string" ? ctx.db.normalizeId("sessions", sid) : null;
  const session = sessionId === null ? null : await ctx.db.get("sessions", sessionId);
  if (session?.userId !== identity.subject) {
    throw fail("UNAUTHENTICATED", "The session has ended: sign in again.");
  }
  const user = await ctx.db.get("users", session.userId);
  if (user === null || user.disabled || user.epoch !== session.epoch) {
    throw fail("UNAUTHENTICATED", "The session has ended: sign in again.");
  }
  if (ROLES.indexOf(user.role) < ROLES.indexOf(needed)) {
    throw fail("FORBIDDEN", `This needs the role ${needed}; ${user.username} is ${user.role}.`);
  }
  return { user, sessionId: session._id };
}

async function requireExecutor(
  ctx: QueryCtx,
): Promise<{ executor: Doc<"executors">; claims: ExecutorClaims }> {
  const identity = await ctx.auth.getUserIdentity();
  if (identity?.issuer !== issuer("executor")) {
    throw fail("UNAUTHENTICATED", "Only an executor with a token of its own may call this.");
  }
  const executorId = ctx.db.normalizeId("executors", identity.subject);
  const executor = executorId === null ? null : await ctx.db.get("executors", executorId);
  const { epoch, boot, bootAt } = identity;
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

/** The registered process that calls; throws UNAUTHENTICATED, REVOKED or SUPERSEDED. */
export async function requireRegistered(ctx: QueryCtx) {
  const { executor, claims } = await requireExecutor(ctx);
  if (executor.boot !== claims.boot) {
    const why = executor.boot === undefined ? "has not registered" : "is not the registered one";
    throw fail("SUPERSEDED", `This process of executor ${executor.name} ${why}: register, or end.`);
  }
  return { executor, claims };
}

/** Puts the access mark on all that a builder makes; the builder's type stays as it is. */
function marked<Builder extends (definition: never) => object>(
  builder: Builder,
  access: Access,
): Builder {
  const build = (definition: never) => Object.assign(builder(definition), { access });
  // The product only gains a property, so it is whatever the builder's overloads promise.
  return build as unknown as Builder;
}
