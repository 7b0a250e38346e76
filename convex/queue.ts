import { v } from "convex/values";
import { internalMutation } from "./_generated/server.js";
import { userMutation, userQuery } from "./lib/functions.js";
import { letAllIn, settleDependents } from "./model/apply.js";
import * as Emergency from "./model/emergency.js";
import * as Operations from "./model/operations.js";
import { queueLimits, queueView } from "./protocol/queue.js";

const { running, perSubmitter, perKey } = queueLimits.fields;

/** Whether the queue is paused and why, and its limits. */
export const status = userQuery("viewer")({
  args: {},
  returns: queueView,
  handler: async (ctx) => Operations.view(ctx),
});

/**
 * Gives nothing out until it is resumed; what runs goes on, submissions are taken. `maintenance` is
 * the same under another name, for people who look.
 */
export const pause = userMutation("operator")({
  args: { reason: v.string(), maintenance: v.optional(v.boolean()) },
  returns: v.null(),
  handler: async (ctx, { reason, maintenance = false }) => {
    const kind = maintenance ? "maintenance" : "pause";
    await Operations.pause(ctx, { kind, reason, by: `user:${ctx.user.username}` });
    return null;
  },
});

/** Ends a pause or maintenance. */
export const resume = userMutation("operator")({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    await Emergency.requireNone(ctx);
    await Operations.resume(ctx, `user:${ctx.user.username}`);
    return null;
  },
});

/** Sets how many jobs run at once: in all, of one submitter, of one key. Left out stays, null is none. */
export const setLimits = userMutation("operator")({
  args: {
    running: v.optional(running),
    perSubmitter: v.optional(perSubmitter),
    perKey: v.optional(perKey),
  },
  returns: v.null(),
  handler: async (ctx, args) => {
    await Operations.setLimits(ctx, args, `user:${ctx.user.username}`);
    return null;
  },
});

/** Sets the limit of one gate, `key:…` or `submitter:…`: 0 pauses it, null goes back to the usual one. */
export const setGateLimit = userMutation("operator")({
  args: {
    gate: v.string(),
    limit: v.union(v.null(), v.number()),
    note: v.optional(v.string()),
  },
  returns: v.null(),
  handler: async (ctx, args) => {
    await Operations.setGateLimit(ctx, args, `user:${ctx.user.username}`);
    return null;
  },
});

/** A step of letting jobs in at a gate. */
export const goOnLettingIn = internalMutation({
  args: { gate: v.string(), lane: v.union(v.null(), v.string()), rounds: v.number() },
  returns: v.null(),
  handler: async (ctx, args) => {
    await Operations.letInRounds(ctx, args);
    return null;
  },
});

/** A step of letting everybody in at a gate that has opened. */
export const goOnLettingAllIn = internalMutation({
  args: { gate: v.string(), beganAt: v.optional(v.number()) },
  returns: v.null(),
  handler: async (ctx, { gate, beganAt }) => {
    await letAllIn(ctx, gate, beganAt);
    return null;
  },
});

/** A step of looking at all gates after a change of their limits. */
export const lookAtGates = internalMutation({
  args: { after: v.string() },
  returns: v.null(),
  handler: async (ctx, { after }) => {
    await Operations.lookAtGates(ctx, after);
    return null;
  },
});

/** A step of telling those that come after a job that it has ended. */
export const goOnSettling = internalMutation({
  args: { on: v.id("jobs"), isSuccess: v.boolean() },
  returns: v.null(),
  handler: async (ctx, { on, isSuccess }) => {
    await settleDependents(ctx, on, isSuccess);
    return null;
  },
});
