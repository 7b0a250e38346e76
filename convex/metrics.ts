import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import {
  internalAction,
  internalMutation,
  internalQuery,
  type MutationCtx,
} from "./_generated/server.js";
import { prometheusText } from "./domain/prometheus.js";
import { userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as Facts from "./model/facts.js";
import * as Metrics from "./model/metrics.js";
import * as Recount from "./model/recount.js";
import { RECOUNT_STEPS_MAX } from "./protocol/limits.js";
import {
  fact,
  figures,
  queueNow,
  range,
  sample,
  series as seriesReply,
  spend as spendReply,
} from "./protocol/metrics.js";
import type { Cursor, Page } from "./protocol/selfAudit.js";

const cursor = v.object({ ts: v.int64(), creationTime: v.number() });

// -- people --

/** The queue as it is: states, age of the oldest pending job, executors and slots. Each read is bounded. */
export const now = userQuery("viewer")({
  args: {},
  returns: queueNow,
  handler: async (ctx) => Metrics.now(ctx),
});

/** A range bucket by bucket: minutes of an hour, hours of a day or week, days of a month or quarter. */
export const series = userQuery("viewer")({
  args: { range },
  returns: seriesReply,
  handler: async (ctx, args) => Metrics.series(ctx, args.range),
});

/** The figures of a range in one. rolledAt is ms; null before the first roll-up. */
export const summary = userQuery("viewer")({
  args: { range },
  returns: v.object({ rolledAt: v.union(v.number(), v.null()), figures }),
  handler: async (ctx, args) => Metrics.summed(ctx, args.range),
});

/** Cost and tokens of a range: by repository, user and model, and over time. */
export const spend = userQuery("viewer")({
  args: { range },
  returns: spendReply,
  handler: async (ctx, args) => Metrics.spend(ctx, args.range),
});

// -- the roll-up --

/** What was not counted yet, from a place on; with a look at the queue if asked for. */
export const unread = internalQuery({
  args: { after: cursor, withSample: v.boolean() },
  returns: v.object({
    piece: v.object({
      facts: v.array(fact),
      moves: v.record(v.string(), v.number()),
      cursor,
      isDone: v.boolean(),
    }),
    sample: v.union(sample, v.null()),
  }),
  handler: async (ctx, { after, withSample }) => ({
    piece: await Facts.read(ctx, after),
    sample: withSample ? await Metrics.look(ctx, await Metrics.progress(ctx)) : null,
  }),
});

/** Starts a run of the roll-up, by cron each minute; one that is still going on gives way to it. */
export const tick = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => step(ctx, true),
});

/** Goes on with a run; does nothing once a later run has started. */
export const rollUp = internalMutation({
  args: { generation: v.number() },
  returns: v.null(),
  handler: async (ctx, { generation }) => {
    const row = await Metrics.progress(ctx);
    return row?.generation === generation ? step(ctx, false) : null;
  },
});

/** Reads in a stale query, so that who appends events never waits; the cursor's row is this chain's own. */
async function step(ctx: MutationCtx, isFirst: boolean): Promise<null> {
  const row = await Metrics.progress(ctx);
  const after = Metrics.cursorOf(row);
  const found = await ctx.runQuery(
    internal.metrics.unread,
    { after, withSample: isFirst },
    { useStaleSnapshot: true },
  );
  const generation = await Metrics.add(ctx, row, found);
  if (!found.piece.isDone) {
    await ctx.scheduler.runAfter(0, internal.metrics.rollUp, { generation });
  }
  return null;
}

/** All counts and gauges in the text format of Prometheus. */
export const exposition = internalQuery({
  args: {},
  returns: v.string(),
  handler: async (ctx) => {
    const row = await Metrics.progress(ctx);
    return prometheusText({
      total: await Metrics.total(ctx),
      states: row?.states ?? {},
      sample: row?.sample ?? null,
      rolledAt: row?.rolledAt ?? null,
    });
  },
});

// -- operators --

/**
 * Counts all live jobs by state again and compares them with the roll-up's counters at the same moment:
 * `off` is by how much each is wrong, {} when none is. With `repair` they are put right. At most
 * RECOUNT_STEPS_MAX steps; beyond that it throws, and changes nothing.
 */
export const recount = internalAction({
  args: { repair: v.optional(v.boolean()) },
  returns: v.object({
    jobs: v.record(v.string(), v.number()),
    off: v.record(v.string(), v.number()),
  }),
  handler: async (ctx, { repair = false }) => {
    let cursor: Cursor = 0;
    for (let steps = 0; steps < RECOUNT_STEPS_MAX; steps += 1) {
      const page: Page = await ctx.runQuery(internal.selfAudit.check, { part: "counters", cursor });
      ({ cursor } = page);
      if (!page.isDone) continue;
      if (typeof cursor === "number") return { jobs: {}, off: {} };
      const off = Recount.difference(cursor);
      if (repair && Object.keys(off).length > 0) {
        await ctx.runMutation(internal.metrics.correct, { off });
      }
      return { jobs: cursor.counts, off };
    }
    throw new Error(`The jobs were not counted within ${RECOUNT_STEPS_MAX} steps.`);
  },
});

/** Takes from the counters of live jobs what they count too much, whatever has happened since. */
export const correct = internalMutation({
  args: { off: v.record(v.string(), v.number()) },
  returns: v.null(),
  handler: async (ctx, { off }) => {
    await Metrics.correct(ctx, off);
    const detail = JSON.stringify(off);
    await Audit.write(ctx, { action: "metrics.corrected", actor: "operator", detail });
    return null;
  },
});
