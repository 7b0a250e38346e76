import { internal } from "../_generated/api.js";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import * as Lease from "../domain/lease.js";
import { isAsking } from "../domain/lifecycle.js";
import { messageOf } from "../lib/errors.js";
import { QUARANTINE_MS } from "../protocol/limits.js";
import { apply } from "./apply.js";
import * as Audit from "./audit.js";
import type { JobEvent } from "./change.js";
import * as Executors from "./executors.js";
import * as Jobs from "./jobs.js";
import * as Leases from "./leases.js";
import * as Questions from "./questions.js";

/**
 * Takes back what an executor holds if its lease has run out by now, by a point read. Each attempt is
 * taken in a mutation of its own: one bad row keeps none of the others.
 */
export async function reclaimLease(
  ctx: MutationCtx,
  leaseId: Id<"leases">,
  now: number,
): Promise<boolean> {
  const lease = await ctx.db.get("leases", leaseId);
  if (lease === null || !Lease.isExpired(lease.expiresAt, now)) return false;
  const { executorId } = lease;
  await Executors.lose(ctx, executorId);
  for (const { _id: jobId } of await Jobs.heldBy(ctx, executorId)) {
    await isolated(ctx, `job ${jobId}`, () =>
      ctx.runMutation(internal.maintenance.expireAttempt, { jobId, executorId }),
    );
  }
  return true;
}

/** Takes one attempt from an executor whose lease has run out. */
export async function expireAttempt(
  ctx: MutationCtx,
  jobId: Id<"jobs">,
  executorId: Id<"executors">,
): Promise<void> {
  const job = await Jobs.get(ctx, jobId);
  const isHere =
    (job.state.kind === "assigned" || job.state.kind === "running") &&
    job.state.executorId === executorId;
  if (!isHere) return;
  const event = { kind: "expire", reason: "leaseExpired", slot: "gone" } as const;
  await apply(ctx, job, { event, actor: "timer" });
}

/** Acts on a job whose deadline has passed by now, by a point read. */
export async function actOnJob(ctx: MutationCtx, jobId: Id<"jobs">, now: number): Promise<boolean> {
  const job = await ctx.db.get("jobs", jobId);
  if (job?.deadlineAt === undefined || job.deadlineAt > now) return false;
  if (isAsking(job.state)) await Questions.close(ctx, jobId, "expired");
  await apply(ctx, job, { event: eventOf(job), actor: "timer" });
  return true;
}

/** Action of the audit row that says why an item of a sweep could not be acted on. */
export const SWEEP_FAILED = "sweep.failed";

/** What became of one item of a sweep. */
export type Isolated<T> = { ok: true; value: T } | { ok: false; message: string };

/**
 * Runs one item of a sweep, which must be a mutation of its own. An item that fails changes nothing and
 * is written into the audit log; the others go on.
 */
export async function isolated<T>(
  ctx: MutationCtx,
  target: string,
  act: () => Promise<T>,
): Promise<Isolated<T>> {
  try {
    return { ok: true, value: await act() };
  } catch (error) {
    const message = messageOf(error);
    await Audit.write(ctx, { action: SWEEP_FAILED, actor: "timer", target, detail: message });
    return { ok: false, message };
  }
}

/** Leaves a lease alone for a while that could not be acted on, so that it does not stop the others. */
export async function quarantineLease(ctx: MutationCtx, leaseId: Id<"leases">, now: number) {
  const lease = await ctx.db.get("leases", leaseId);
  if (lease !== null) await Leases.postpone(ctx, lease, now + QUARANTINE_MS);
}

/** The same for a job's deadline; its state stays. */
export async function quarantineJob(ctx: MutationCtx, jobId: Id<"jobs">, now: number) {
  const job = await ctx.db.get("jobs", jobId);
  if (job !== null) await ctx.db.patch("jobs", jobId, { deadlineAt: now + QUARANTINE_MS });
}

/** What a passed deadline means in each state. */
function eventOf(job: Doc<"jobs">): JobEvent {
  const { state } = job;
  switch (state.kind) {
    case "waiting":
      return isAsking(state)
        ? { kind: "answer", message: "nobody answered in time: refused" }
        : { kind: "wake" };
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
