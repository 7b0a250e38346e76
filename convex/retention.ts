import { type ObjectType, v } from "convex/values";
import { internal } from "./_generated/api.js";
import {
  type ActionCtx,
  internalAction,
  internalMutation,
  internalQuery,
} from "./_generated/server.js";
import { addCounts, checkDays, cutoff, kindAfter } from "./domain/retention.js";
import * as Clock from "./lib/clock.js";
import { accept } from "./lib/errors.js";
import { userAction, userMutation, userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as Retention from "./model/retention.js";
import { PRUNE_STALLED_MS, PRUNE_STEPS_MAX } from "./protocol/limits.js";
import {
  pruneArgs,
  pruneReply,
  RETENTION_KINDS,
  type RetentionDays,
  type RetentionStep,
  retentionDays,
  retentionKind,
  retentionRun,
  retentionStep,
  type RowCounts,
} from "./protocol/retention.js";

const where = { kind: retentionKind, before: v.number(), cursor: v.number() };

// -- people --

/** After how many days each kind of data is deleted, and what the last run deleted. */
export const settings = userQuery("viewer")({
  args: {},
  returns: v.object({ days: retentionDays, last: v.union(retentionRun, v.null()) }),
  handler: async (ctx) => ({
    days: await Retention.days(ctx),
    last: (await Retention.row(ctx))?.last ?? null,
  }),
});

/** Changes after how many days data is deleted; what is left out stays. Hands out all of it. */
export const configure = userMutation("administrator")({
  args: retentionDays.partial().fields,
  returns: retentionDays,
  handler: async (ctx, changes) => {
    const next: RetentionDays = { ...(await Retention.days(ctx)), ...changes };
    await Retention.save(ctx, { days: accept(checkDays(next)) });
    const actor = `user:${ctx.user.username}`;
    const detail = JSON.stringify(changes);
    await Audit.write(ctx, { action: "retention.configured", actor, detail });
    return next;
  },
});

// -- runs --

/** Begins a run, by cron; one that is under way is left to go on, one that stalled is begun anew. */
export const begin = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    const row = await Retention.row(ctx);
    const now = Clock.now();
    const run = row?.run ?? null;
    if (run !== null && run.stepAt + PRUNE_STALLED_MS > now) return null;
    const generation = (row?.generation ?? 0) + 1;
    const first = { kind: RETENTION_KINDS[0], cursor: 0, rows: {} };
    await Retention.save(ctx, { generation, run: { ...first, startedAt: now, stepAt: now } });
    await ctx.scheduler.runAfter(0, internal.retention.goOn, { generation });
    return null;
  },
});

/** Makes the next step of a run; does nothing once a later run has begun. */
export const goOn = internalMutation({
  args: { generation: v.number() },
  returns: v.null(),
  handler: async (ctx, { generation }) => {
    const row = await Retention.row(ctx);
    const run = row?.run ?? null;
    if (row === null || run === null || row.generation !== generation) return null;
    const { kind, cursor, startedAt } = run;
    const before = cutoff(await Retention.days(ctx), kind, startedAt);
    const done = await Retention.remove(ctx, { kind, before, cursor });
    const rows = addCounts(run.rows, done.rows);
    const nextKind = done.isDone ? kindAfter(kind) : kind;
    const now = Clock.now();
    if (nextKind === null) {
      await Retention.save(ctx, { run: null, last: { startedAt, endedAt: now, rows } });
      return null;
    }
    const place = { kind: nextKind, cursor: done.isDone ? 0 : done.cursor };
    await Retention.save(ctx, { run: { ...place, startedAt, stepAt: now, rows } });
    await ctx.scheduler.runAfter(0, internal.retention.goOn, { generation });
    return null;
  },
});

// -- operators --

/** Deletes what one step finds, for prune. */
export const step = internalMutation({
  args: where,
  returns: retentionStep,
  handler: async (ctx, args) => Retention.remove(ctx, args),
});

/** Counts what one step would delete, for prune. */
export const preview = internalQuery({
  args: where,
  returns: retentionStep,
  handler: async (ctx, args) => Retention.preview(ctx, args),
});

/** What is set, for prune; notes in the audit log who deletes by hand. */
export const beginByHand = internalMutation({
  args: { by: v.string(), dryRun: v.boolean(), kinds: v.array(retentionKind) },
  returns: retentionDays,
  handler: async (ctx, { by, dryRun, kinds }) => {
    const detail = kinds.join(", ");
    if (!dryRun) await Audit.write(ctx, { action: "retention.pruned", actor: by, detail });
    return Retention.days(ctx);
  },
});

/**
 * Deletes what is older than its days and what is over now, or with `dryRun` counts it. Rows by table.
 * A dry run counts the logs of jobs under logs alone.
 */
export const prune = internalAction({
  args: pruneArgs,
  returns: pruneReply,
  handler: async (ctx, args) => pruneByHand(ctx, args, "operator"),
});

/** The same as prune, for a signed-in administrator: the command line's `prune`. */
export const pruneNow = userAction("administrator")({
  args: pruneArgs,
  returns: pruneReply,
  handler: async (ctx, args) => pruneByHand(ctx, args, `user:${ctx.user.username}`),
});

type PruneReply = typeof pruneReply.type;
type PruneArgs = ObjectType<typeof pruneArgs>;

async function pruneByHand(ctx: ActionCtx, args: PruneArgs, by: string): Promise<PruneReply> {
  const { dryRun = false, kinds = [...RETENTION_KINDS], days: given = {} } = args;
  const set: RetentionDays = await ctx.runMutation(internal.retention.beginByHand, {
    ...{ by, dryRun, kinds },
  });
  const days = accept(checkDays({ ...set, ...given }));
  const now = Clock.now();
  let rows: RowCounts = {};
  let steps = 0;
  for (const kind of kinds) {
    let next: RetentionStep = { rows: {}, cursor: 0, isDone: false };
    while (!next.isDone) {
      if (steps === PRUNE_STEPS_MAX) return { rows, isComplete: false };
      steps += 1;
      const at = { kind, before: cutoff(days, kind, now), cursor: next.cursor };
      next = dryRun
        ? await ctx.runQuery(internal.retention.preview, at)
        : await ctx.runMutation(internal.retention.step, at);
      rows = addCounts(rows, next.rows);
    }
  }
  return { rows, isComplete: true };
}
