import { v } from "convex/values";
import { internalMutation } from "./_generated/server.js";
import { userMutation, userQuery } from "./lib/functions.js";
import * as Emergency from "./model/emergency.js";

const order = {
  /** One line for whoever looks: why. */
  reason: v.string(),
  /** cancel: what runs is ended. drain: what runs may finish. */
  running: v.union(v.literal("cancel"), v.literal("drain")),
  /** Ends the identity of every executor for good: each has to enrol anew. */
  revokeExecutors: v.boolean(),
  /** Ends all sessions and API keys, the caller's own too: people sign in anew. */
  endSessions: v.boolean(),
};

/** Stops everything at once. */
export const stop = userMutation("administrator")({
  args: order,
  returns: v.null(),
  handler: async (ctx, args) => {
    await Emergency.stop(ctx, args, ctx.actor);
    return null;
  },
});

/** Lets the queue go on. Who was revoked or signed out stays so. */
export const lift = userMutation("administrator")({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    await Emergency.lift(ctx, ctx.actor);
    return null;
  },
});

/** The stop in force; null when there is none. */
export const status = userQuery("viewer")({
  args: {},
  returns: v.union(v.null(), v.object({ ...order, by: v.string(), since: v.number() })),
  handler: async (ctx) => {
    const stopped = await Emergency.current(ctx);
    if (stopped === null) return null;
    const { reason, running, revokeExecutors, endSessions, by, since } = stopped;
    return { reason, running, revokeExecutors, endSessions, by, since };
  },
});

/** The same for `npx convex run`, when nobody can sign in. */
export const stopByOperator = internalMutation({
  args: order,
  returns: v.null(),
  handler: async (ctx, args) => {
    await Emergency.stop(ctx, args, "operator");
    return null;
  },
});

export const liftByOperator = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    await Emergency.lift(ctx, "operator");
    return null;
  },
});

export const goOn = internalMutation({
  args: { users: v.number(), executors: v.number() },
  returns: v.null(),
  handler: async (ctx, from) => {
    await Emergency.step(ctx, from);
    return null;
  },
});
