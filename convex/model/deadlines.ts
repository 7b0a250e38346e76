import type { Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import * as Lease from "../domain/lease.js";
import * as Executors from "./executors.js";
import { apply, type JobEvent } from "./transitions.js";
import type { Doc } from "../_generated/dataModel.js";

/** Takes back an executor's attempts if its lease has run out by now, by a point read. */
export async function reclaimLease(
  ctx: MutationCtx,
  leaseId: Id<"leases">,
  now: number,
): Promise<boolean> {
  const lease = await ctx.db.get("leases", leaseId);
  if (lease === null || !Lease.isExpired(lease.expiresAt, now)) return false;
  await Executors.lose(ctx, lease.executorId);
  return true;
}

/** Acts on a job whose deadline has passed by now, by a point read. */
export async function actOnJob(ctx: MutationCtx, jobId: Id<"jobs">, now: number): Promise<boolean> {
  const job = await ctx.db.get("jobs", jobId);
  if (job?.deadlineAt === undefined || job.deadlineAt > now) return false;
  await apply(ctx, job, { event: eventOf(job), actor: "timer" });
  return true;
}

/** What a passed deadline means in each state. */
function eventOf(job: Doc<"jobs">): JobEvent {
  const { state } = job;
  switch (state.kind) {
    case "backoff":
      return { kind: "wake" };
    case "assigned":
      return { kind: "expire", reason: "notStarted", slot: "free" };
    case "running":
      // The process may still run: its slot is owed until a heartbeat no longer names the attempt.
      if (job.cancelRequestedAt !== undefined) return { kind: "canceled", slot: "owed" };
      return {
        kind: "fail",
        reason: "timedOut",
        slot: "owed",
        message: "The attempt ran out of time and its executor did not end it.",
      };
    case "pending":
    case "succeeded":
    case "failed":
    case "canceled":
      throw new Error(`Job ${job._id} is ${state.kind} and yet has a deadline`);
  }
}
