import { internal } from "../_generated/api.js";
import type { Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { isFitting } from "../domain/dispatch.js";
import * as Clock from "../lib/clock.js";
import { CALM_MS } from "../protocol/limits.js";
import type { QueueLimits } from "../protocol/queue.js";
import type { Applicant } from "./admission.js";
import * as Controls from "./controls.js";
import type * as Dispatcher from "./dispatcher.js";
import * as Gates from "./gates.js";
import * as Slots from "./slots.js";

/**
 * Assignment at submission. While the dispatcher sleeps because no job waits that a free slot fits, the
 * next job would be the only one a pass looks at: the submission takes a slot for it itself, and neither
 * the dispatcher's row nor the queue is written. Whatever only a pass can weigh is left to a pass: a
 * pause, the limit of the whole queue, labels, a gate without room.
 *
 * Submissions that come together would contend for the same slot, so in a rush (two within CALM_MS)
 * they go by way of the dispatcher, which serves them in one pass. Two that do meet conflict, and the
 * one that is run again sees the other.
 */

/** A slot taken for a job that may run at once; null leaves the job to the queue. */
export async function takeSlot(
  ctx: MutationCtx,
  job: Applicant,
  dispatcher: Dispatcher.Row | null,
): Promise<Slots.Taken | null> {
  if (job.lane !== "" || !isFitting(dispatcher?.status ?? "needsJobs")) return null;
  const controls = await Controls.get(ctx);
  if (!Controls.isPlain(controls)) return null;
  const slotId: Id<"slots"> | null = await ctx.runQuery(
    internal.dispatch.calmSlot,
    { since: Clock.now() - CALM_MS },
    { useStaleSnapshot: true },
  );
  if (slotId === null || !(await mayPass(ctx, job, controls.limits))) return null;
  return Slots.take(ctx, slotId);
}

/** Whether no gate stops a job. One that cannot be asked is for the dispatcher, which sets the job aside. */
async function mayPass(ctx: QueryCtx, job: Applicant, limits: QueueLimits): Promise<boolean> {
  try {
    return (await Gates.blocking(ctx, job, limits)) === null;
  } catch {
    return false;
  }
}

/** The slot for a job that comes when no other has come since; null in a rush, or where a choice is to be made. */
export async function calmSlot(ctx: QueryCtx, since: number): Promise<Id<"slots"> | null> {
  const other = await ctx.db
    .query("jobs")
    .withIndex("by_creation_time", (q) => q.gt("_creationTime", since))
    .first();
  if (other !== null) return null;
  const slot = await Slots.firstOfPoolsAfter(ctx, null);
  return slot?.pool === "" ? slot._id : null;
}
