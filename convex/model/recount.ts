import type { Id } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import { isTerminal } from "../domain/lifecycle.js";
import { JOB_STATE_KINDS, type JobStateKind } from "../protocol/job.js";
import { RECOUNT_EVENTS, RECOUNT_JOBS } from "../protocol/limits.js";
import type { Recount } from "../protocol/selfAudit.js";
import * as Facts from "./facts.js";
import * as Metrics from "./metrics.js";

/**
 * A count of all live jobs by state, over as many transactions as it takes, that is exact although jobs
 * go on meanwhile. Each step first reads what happened since the step before, from the stream of all
 * events: what touches jobs that were counted already corrects their count, so that the count is that
 * of the step's own moment; only then it counts on. States are counted one after the other, each in the
 * order of creation. The counters of the roll-up are brought up to the same moment from the same stream.
 */

const LIVE_KINDS = JOB_STATE_KINDS.filter((kind) => !isTerminal(kind));

/** Where a recount begins: the counters as the roll-up has them; null when it never ran. */
export async function begin(ctx: QueryCtx): Promise<Recount | null> {
  const row = await Metrics.progress(ctx);
  if (row === null) return null;
  const { ts, creationTime, states } = row;
  return { ts, creationTime, counters: states, counts: {}, kind: 0, after: 0 };
}

type Sizes = { jobs: number; events: number };
const SIZES: Sizes = { jobs: RECOUNT_JOBS, events: RECOUNT_EVENTS };

/** One step; `isDone`: counters and counts are those of this moment, and should be equal. */
export async function step(
  ctx: QueryCtx,
  from: Recount,
  sizes: Sizes = SIZES,
): Promise<{ recount: Recount; isDone: boolean }> {
  const events = await Facts.following(ctx, from, sizes.events);
  let recount: Recount = { ...from, counters: { ...from.counters }, counts: { ...from.counts } };
  for (const event of events) {
    Facts.move(recount.counters, event);
    const counted: Record<string, number> = {};
    Facts.move(counted, event);
    for (const [state, by] of Object.entries(counted)) {
      if (by === 0) continue;
      if (await isCounted(ctx, recount, { state, jobId: event.jobId })) {
        add(recount.counts, state, by);
      }
    }
    recount = { ...recount, ...Facts.placeOf(event) };
  }
  if (events.length === sizes.events) return { recount, isDone: false };
  return countOn(ctx, recount, sizes.jobs);
}

/** Whether a job belongs, in this state, to what was counted. */
async function isCounted(
  ctx: QueryCtx,
  { kind, after }: Recount,
  { state, jobId }: { state: string; jobId: Id<"jobs"> },
): Promise<boolean> {
  const place = LIVE_KINDS.findIndex((live) => live === state);
  if (place !== kind) return place < kind;
  const job = await ctx.db.get("jobs", jobId);
  return job !== null && job._creationTime <= after;
}

async function countOn(
  ctx: QueryCtx,
  recount: Recount,
  limit: number,
): Promise<{ recount: Recount; isDone: boolean }> {
  const counts = { ...recount.counts };
  let { kind, after } = recount;
  let left = limit;
  for (;;) {
    const state: JobStateKind | undefined = LIVE_KINDS[kind];
    if (state === undefined) return { recount: { ...recount, counts, kind, after }, isDone: true };
    const from = after;
    const jobs = await ctx.db
      .query("jobs")
      .withIndex("by_state", (q) => q.eq("state.kind", state).gt("_creationTime", from))
      .take(left);
    add(counts, state, jobs.length);
    after = jobs.at(-1)?._creationTime ?? after;
    left -= jobs.length;
    if (left === 0) return { recount: { ...recount, counts, kind, after }, isDone: false };
    kind += 1;
    after = 0;
  }
}

/** By how much each counter is too high, where it is not right. */
export function difference({ counters, counts }: Recount): Record<string, number> {
  const off = LIVE_KINDS.map(
    (kind) => [kind, (counters[kind] ?? 0) - (counts[kind] ?? 0)] as const,
  );
  return Object.fromEntries(off.filter(([, by]) => by !== 0));
}

/** Jobs counted so far. */
export function total({ counts }: Recount): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function add(counts: Record<string, number>, state: string, by: number): void {
  counts[state] = (counts[state] ?? 0) + by;
}
