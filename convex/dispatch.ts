import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import { internalMutation, internalQuery, type MutationCtx } from "./_generated/server.js";
import { choose, picks, rest, type Rest } from "./domain/dispatch.js";
import * as Admission from "./model/admission.js";
import * as Assignments from "./model/assignments.js";
import * as Controls from "./model/controls.js";
import * as Dispatcher from "./model/dispatcher.js";
import * as Lines from "./model/lines.js";
import * as Slots from "./model/slots.js";

const turn = { picks: v.number(), laneCursor: v.string() };
const pair = v.object({ jobId: v.id("jobs"), slotId: v.id("slots") });

/** The pairs that the next pass may make, in its order, and how many jobs executors hold. */
export const candidates = internalQuery({
  args: { ...turn, runningLimit: v.union(v.null(), v.number()) },
  returns: v.object({ pairs: v.array(pair), laneCursor: v.string(), isFull: v.boolean() }),
  handler: async (ctx, { runningLimit, ...args }) => {
    const free =
      runningLimit === null ? Infinity : runningLimit - (await Lines.countHeld(ctx, runningLimit));
    if (free <= 0) return { pairs: [], laneCursor: args.laneCursor, isFull: true };
    const { laneCursor, ...found } = await Lines.candidates(ctx, args);
    const order = picks(found.urgent.map(Lines.waiting), {
      oldest: found.oldest.map(Lines.waiting),
      made: args.picks,
    });
    const pairs = choose(order, found.slots.map(Lines.free)).slice(0, free);
    return {
      pairs: pairs.map(({ job, slot }) => ({ jobId: job.id, slotId: slot.id })),
      laneCursor,
      isFull: false,
    };
  },
});

/** Place of a new job in the fair order of submitters. */
export const fairRank = internalQuery({
  args: { submittedBy: v.string(), priority: v.number(), lane: v.string() },
  returns: v.number(),
  handler: async (ctx, args) => Admission.fairRank(ctx, args),
});

/**
 * One pass of the single assigner. It scans in a stale query, which depends on nothing, and acts on
 * point reads; only before it goes to sleep does it look with reads that conflict with whoever brings
 * a job or a slot, so that no wake-up is lost. The count of held jobs may be stale as well: only this
 * chain makes it grow, so it is never too low.
 *
 * A careful pass does each assignment in a mutation of its own and sets aside what fails: one bad job
 * does not stop the queue.
 */
export const pass = internalMutation({
  args: { generation: v.number(), careful: v.optional(v.boolean()) },
  returns: v.null(),
  handler: async (ctx, { generation, careful = false }) => {
    const row = await Dispatcher.current(ctx, generation);
    if (row === null) return null;
    const now = { picks: row.picks ?? 0, laneCursor: row.laneCursor ?? "" };
    const { paused, limits } = await Controls.get(ctx);
    if (paused !== null) {
      await Dispatcher.settle(ctx, row, { rest: "paused", turn: now });
      return null;
    }
    const runningLimit = limits.running;
    const found: Found = await ctx.runQuery(
      internal.dispatch.candidates,
      { ...now, runningLimit },
      { useStaleSnapshot: true },
    );
    let made = 0;
    for (const each of found.pairs) {
      const isAssigned = careful
        ? await assignCarefully(ctx, each)
        : await Assignments.assign(ctx, each, limits);
      if (isAssigned) made += 1;
    }
    const next = { picks: now.picks + made, laneCursor: found.laneCursor };
    const left = found.isFull ? "needsRoom" : await look(ctx);
    await Dispatcher.settle(ctx, row, { rest: left, turn: next });
    return null;
  },
});

type Found = {
  pairs: Assignments.Pair[];
  laneCursor: string;
  isFull: boolean;
};

/** One assignment of a careful pass. */
export const assign = internalMutation({
  args: pair,
  returns: v.boolean(),
  handler: async (ctx, args) => Assignments.assign(ctx, args, (await Controls.get(ctx)).limits),
});

async function assignCarefully(ctx: MutationCtx, each: Assignments.Pair): Promise<boolean> {
  try {
    return await ctx.runMutation(internal.dispatch.assign, each);
  } catch (error) {
    await Assignments.setAside(ctx, each.jobId, error);
    return false;
  }
}

/** What is left, by reads that conflict with whoever changes it. */
async function look(ctx: MutationCtx): Promise<Rest> {
  if ((await Slots.first(ctx, 1)).length === 0) return rest({ lanes: [], pools: [] });
  const { lanes } = await Lines.lanes(ctx, "");
  const isForAll = lanes.length === 0 || lanes.includes("");
  return rest({ lanes, pools: isForAll ? [""] : await Lines.pools(ctx) });
}
