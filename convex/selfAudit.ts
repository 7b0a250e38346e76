import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import { internalAction, internalMutation, internalQuery } from "./_generated/server.js";
import * as Clock from "./lib/clock.js";
import { userQuery } from "./lib/functions.js";
import * as SelfAudit from "./model/selfAudit.js";
import {
  AUDIT_STALLED_MS,
  AUDIT_STEPS_MAX,
  AUDIT_VIOLATIONS_MAX,
  RECOUNT_STEPS_MAX,
} from "./protocol/limits.js";
import {
  cursor,
  type Cursor,
  INVARIANT_NAMES,
  INVARIANTS,
  invariant,
  page,
  part as partName,
  PARTS,
  type Part,
  verdict,
  type Violation,
  violation,
} from "./protocol/selfAudit.js";

// -- people --

/**
 * What the last round of the audit found, and the invariants it checks. With `live`, also what the
 * parts about the queue as a whole find now; that answer changes with every job, so ask for it, but
 * do not subscribe to it.
 */
export const status = userQuery("viewer")({
  args: { live: v.optional(v.boolean()) },
  returns: v.object({
    verdict: v.union(verdict, v.null()),
    live: v.union(v.array(violation), v.null()),
    invariants: v.array(v.object({ name: invariant, says: v.string() })),
  }),
  handler: async (ctx, { live = false }) => ({
    verdict: (await SelfAudit.round(ctx))?.verdict ?? null,
    live: live
      ? [
          ...(await SelfAudit.check(ctx, "system", 0)).violations,
          ...(await SelfAudit.check(ctx, "outbox", 0)).violations,
          ...(await SelfAudit.check(ctx, "live", 0)).violations,
        ]
      : null,
    invariants: INVARIANT_NAMES.map((name) => ({ name, says: INVARIANTS[name] })),
  }),
});

// -- pages --

/** Checks one page of a part as it is now; cursor 0 is its beginning. */
export const check = internalQuery({
  args: { part: partName, cursor: v.optional(cursor) },
  returns: page,
  handler: async (ctx, { part, cursor: from = 0 }) => SelfAudit.check(ctx, part, from),
});

// -- rounds --

/** Begins a round, by cron; one that is under way is left to go on, one that stalled is begun anew. */
export const begin = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    const row = await SelfAudit.round(ctx);
    const now = Clock.now();
    const isUnderWay = row?.part !== null && row?.part !== undefined;
    if (isUnderWay && row.stepAt + AUDIT_STALLED_MS > now) return null;
    const generation = (row?.generation ?? 0) + 1;
    const fresh = { checked: 0, found: [], total: 0, steps: 0, isComplete: true, unchecked: [] };
    await SelfAudit.save(ctx, {
      ...{ generation, part: PARTS[0], cursor: 0, startedAt: now, stepAt: now, ...fresh },
      verdict: row?.verdict ?? null,
    });
    await ctx.scheduler.runAfter(0, internal.selfAudit.step, { generation });
    return null;
  },
});

/** Checks the next page of a round, in a stale query, so that nothing ever waits for the audit. */
export const step = internalMutation({
  args: { generation: v.number() },
  returns: v.null(),
  handler: async (ctx, { generation }) => {
    const row = await SelfAudit.round(ctx);
    const at = row?.part ?? null;
    if (row === null || at === null || row.generation !== generation) return null;
    const seen = await ctx.runQuery(
      internal.selfAudit.check,
      { part: at, cursor: row.cursor },
      { useStaleSnapshot: true },
    );
    const now = Clock.now();
    const steps = row.steps + 1;
    const isCut = !seen.isDone && steps >= stepsMax(at);
    const left = sentences(at, isCut, seen.unchecked);
    const round = {
      ...{ generation, startedAt: row.startedAt, stepAt: now },
      checked: row.checked + seen.checked,
      found: [...row.found, ...seen.violations].slice(0, AUDIT_VIOLATIONS_MAX),
      total: row.total + seen.violations.length,
      isComplete: row.isComplete && left.length === 0,
      unchecked: [...(row.unchecked ?? []), ...left],
    };
    const isPartOver = seen.isDone || isCut;
    const part = isPartOver ? partAfter(at) : at;
    const place = { part, cursor: isPartOver ? 0 : seen.cursor, steps: isPartOver ? 0 : steps };
    const { startedAt, checked, found: violations, total, isComplete, unchecked } = round;
    const ended = { startedAt, endedAt: now, checked, violations, total, isComplete, unchecked };
    await SelfAudit.save(ctx, { ...round, ...place, verdict: part === null ? ended : row.verdict });
    if (part !== null) await ctx.scheduler.runAfter(0, internal.selfAudit.step, { generation });
    return null;
  },
});

/** What a page left out, in sentences. */
function sentences(part: Part, isCut: boolean, unchecked: string | undefined): string[] {
  const cut = isCut ? [`Part ${part} has more rows than a round looks at.`] : [];
  return unchecked === undefined ? cut : [...cut, unchecked];
}

/** Pages of a part in a round. */
function stepsMax(part: Part): number {
  return part === "counters" ? RECOUNT_STEPS_MAX : AUDIT_STEPS_MAX;
}

function partAfter(part: Part): (typeof PARTS)[number] | null {
  return PARTS[PARTS.findIndex((p) => p === part) + 1] ?? null;
}

// -- operators --

/** Audits everything now, all jobs included, and hands out what it finds, up to a bound. */
export const run = internalAction({
  args: {},
  returns: v.object({
    checked: v.number(),
    violations: v.array(violation),
    isComplete: v.boolean(),
    unchecked: v.array(v.string()),
  }),
  handler: async (ctx) => {
    const violations: Violation[] = [];
    const unchecked: string[] = [];
    let checked = 0;
    for (const part of [...PARTS, "everything"] as const) {
      let from: Cursor = 0;
      let isDone = false;
      for (let steps = 0; !isDone && steps < stepsMax(part); steps += 1) {
        const seen: typeof page.type = await ctx.runQuery(internal.selfAudit.check, {
          part,
          cursor: from,
        });
        violations.push(...seen.violations);
        checked += seen.checked;
        unchecked.push(...sentences(part, false, seen.unchecked));
        ({ cursor: from, isDone } = seen);
      }
      unchecked.push(...sentences(part, !isDone, undefined));
    }
    const shown = violations.slice(0, AUDIT_VIOLATIONS_MAX);
    return { checked, violations: shown, isComplete: unchecked.length === 0, unchecked };
  },
});
