import { v } from "convex/values";
import type { Id } from "./_generated/dataModel.js";
import { internalMutation, type MutationCtx } from "./_generated/server.js";
import { type Caller, executorMutation, userMutation, userQuery } from "./lib/functions.js";
import * as Attempts from "./model/attempts.js";
import * as Audit from "./model/audit.js";
import * as Jobs from "./model/jobs.js";
import * as RateLimits from "./model/rateLimits.js";
import * as Steering from "./model/steering.js";
import { MESSAGE_CHARS_MAX } from "./protocol/limits.js";
import {
  type SteeringKind,
  steeringKind,
  steeringOrder,
  steeringView,
} from "./protocol/steering.js";

const one = { jobId: v.id("jobs") };
const claim = { ...one, token: v.number() };
const sent = v.object({ steeringId: v.id("steering") });

// -- people --

/** Says something to a run; one that does not run yet hears it when it does. */
export const message = userMutation("operator")({
  args: { ...one, text: v.string() },
  returns: sent,
  handler: async (ctx, { jobId, text }) => send(ctx, jobId, { kind: "message", text }),
});

/** Ends the tools under way: with a text the run goes on with that, without it the run ends there. */
export const interrupt = userMutation("operator")({
  args: { ...one, text: v.optional(v.string()) },
  returns: sent,
  handler: async (ctx, { jobId, text }) => send(ctx, jobId, { kind: "interrupt", text }),
});

/** Lets the tools under way end, then ends the run; what it did is kept, and the job is canceled. */
export const stopAfterTurn = userMutation("operator")({
  args: one,
  returns: sent,
  handler: async (ctx, { jobId }) => send(ctx, jobId, { kind: "stopAfterTurn" }),
});

/** What people told a job, oldest first, and what became of each. */
export const list = userQuery("viewer")({
  args: { jobId: v.string() },
  returns: v.array(steeringView),
  handler: async (ctx, { jobId }) => Steering.list(ctx, (await Jobs.getByText(ctx, jobId))._id),
});

/** The same for `npx convex run`. */
export const tell = internalMutation({
  args: { jobId: v.string(), kind: steeringKind, text: v.optional(v.string()) },
  returns: sent,
  handler: async (ctx, { jobId, kind, text }) => {
    const job = await Jobs.getByText(ctx, jobId);
    await Audit.write(ctx, { action: `job.${kind}`, actor: OPERATOR, target: job._id });
    return { steeringId: await Steering.send(ctx, job, { kind, text, by: OPERATOR }) };
  },
});
const OPERATOR = "operator";

/** One command of a person to one job, audited as `job.<kind>`. */
async function send(
  ctx: MutationCtx & Caller,
  jobId: Id<"jobs">,
  { kind, text }: { kind: SteeringKind; text?: string | undefined },
): Promise<{ steeringId: Id<"steering"> }> {
  await RateLimits.demand(ctx, "commandsOfAccount", { key: ctx.user._id });
  await Audit.write(ctx, { action: `job.${kind}`, actor: ctx.actor, target: jobId });
  const by = `user:${ctx.user.username}`;
  return { steeringId: await Steering.send(ctx, await Jobs.get(ctx, jobId), { kind, text, by }) };
}

// -- executors --

/** What the attempt has to do now, in order; a repeat hands out what is not settled once more. */
export const take = executorMutation({
  args: claim,
  returns: v.array(steeringOrder),
  handler: async (ctx, args) =>
    Steering.take(ctx, await Attempts.requireToken(ctx, ctx.executor, args)),
});

/** The run took a command up, or it could not be done: then `refused` says why. */
export const acknowledge = executorMutation({
  args: { ...claim, steeringId: v.id("steering"), refused: v.optional(v.string()) },
  returns: v.null(),
  handler: async (ctx, { jobId, token, steeringId, refused }) => {
    const job = await Attempts.requireToken(ctx, ctx.executor, { jobId, token });
    const why = refused?.slice(0, MESSAGE_CHARS_MAX);
    await Steering.acknowledge(ctx, job, { steeringId, refused: why });
    return null;
  },
});
