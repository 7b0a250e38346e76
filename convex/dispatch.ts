import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import type { Id } from "./_generated/dataModel.js";
import { internalMutation, internalQuery, type MutationCtx } from "./_generated/server.js";
import { choose, picks, rest, type Rest } from "./domain/dispatch.js";
import { messageOf } from "./lib/errors.js";
import * as Admission from "./model/admission.js";
import * as Assignments from "./model/assignments.js";
import * as Controls from "./model/controls.js";
import * as Direct from "./model/direct.js";
import * as Dispatcher from "./model/dispatcher.js";
import * as Lines from "./model/lines.js";
import * as Slots from "./model/slots.js";
import { LANES_PER_PASS } from "./protocol/limits.js";

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

/** The slot that a submission may take for its job at once. */
export const calmSlot = internalQuery({
  args: { since: v.number() },
  returns: v.union(v.null(), v.id("slots")),
  handler: async (ctx, { since }) => Direct.calmSlot(ctx, since),
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
 */
export const pass = internalMutation({
  args: { generation: v.number() },
  returns: v.null(),
  handler: async (ctx, { generation }) => {
    const row = await Dispatcher.current(ctx, generation);
    if (row === null) return null;
    const now = { picks: row.picks ?? 0, laneCursor: row.laneCursor ?? "" };
    const controls = await Controls.get(ctx);
    if (controls.paused !== null) {
      await Dispatcher.settle(ctx, row, { rest: "paused", turn: now });
      return null;
    }
    const runningLimit = controls.limits.running;
    const found: Found = await ctx.runQuery(
      internal.dispatch.candidates,
      { ...now, runningLimit },
      { useStaleSnapshot: true },
    );
    const made = await assignAll(ctx, found.pairs);
    const next = { picks: now.picks + made, laneCursor: found.laneCursor };
    const left = found.isFull ? { rest: "needsRoom" as const } : await look(ctx);
    await Dispatcher.settle(ctx, row, { ...left, turn: next });
    return null;
  },
});

type Found = {
  pairs: Assignments.Pair[];
  laneCursor: string;
  isFull: boolean;
};

/** Gives these jobs their slots, all or none; hands out how many were assigned. */
export const assign = internalMutation({
  args: { pairs: v.array(pair) },
  returns: v.number(),
  handler: async (ctx, { pairs }) => {
    const controls = await Controls.get(ctx);
    let made = 0;
    for (const each of pairs) if (await Assignments.assign(ctx, each, controls)) made += 1;
    return made;
  },
});

/** Takes a job whose assignment failed out of the queue. */
export const setAside = internalMutation({
  args: { jobId: v.id("jobs"), why: v.string(), alone: v.boolean() },
  returns: v.null(),
  handler: async (ctx, { jobId, ...how }) => {
    await Assignments.setAside(ctx, jobId, how);
    return null;
  },
});

/**
 * Assigns in a mutation of its own, which undoes what it did when one of the pairs fails. Then each
 * pair is tried by itself, and the job of one that fails again is set aside: a bad row stops nobody.
 */
async function assignAll(ctx: MutationCtx, pairs: readonly Assignments.Pair[]): Promise<number> {
  if (pairs.length === 0) return 0;
  const together = await attempt(ctx, [...pairs]);
  if (together.ok) return together.made;
  let made = 0;
  for (const each of pairs) {
    const alone = pairs.length === 1 ? together : await attempt(ctx, [each]);
    if (alone.ok) made += alone.made;
    else await takeOut(ctx, each.jobId, alone.why);
  }
  return made;
}

type Attempted = { ok: true; made: number } | { ok: false; why: string };

async function attempt(ctx: MutationCtx, pairs: Assignments.Pair[]): Promise<Attempted> {
  try {
    return { ok: true, made: await ctx.runMutation(internal.dispatch.assign, { pairs }) };
  } catch (error) {
    return { ok: false, why: messageOf(error) };
  }
}

/** What is wrong with a job may keep its neighbours from being let in too: then it goes alone. */
async function takeOut(ctx: MutationCtx, jobId: Id<"jobs">, why: string): Promise<void> {
  try {
    await ctx.runMutation(internal.dispatch.setAside, { jobId, why, alone: false });
  } catch (error) {
    const both = `${why} And holding it failed: ${messageOf(error)}`;
    await ctx.runMutation(internal.dispatch.setAside, { jobId, why: both, alone: true });
  }
}

/**
 * What is left, by reads that conflict with whoever changes it. Where all lanes were seen and none fits,
 * more slots of the same pools change nothing: only a job does, or another pool.
 */
async function look(ctx: MutationCtx): Promise<{ rest: Rest; unfit?: string[] }> {
  if ((await Slots.first(ctx, 1)).length === 0) return { rest: rest({ lanes: [], pools: [] }) };
  const { lanes } = await Lines.lanes(ctx, "");
  const isForAll = lanes.length === 0 || lanes.includes("");
  const pools = isForAll ? [""] : await Lines.pools(ctx);
  const left = rest({ lanes, pools });
  const isKnown = left === "needsMatch" && lanes.length < LANES_PER_PASS;
  return { rest: left, ...(isKnown ? { unfit: pools } : {}) };
}
