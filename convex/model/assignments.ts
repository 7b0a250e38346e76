import type { Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import { messageOf } from "../lib/errors.js";
import type { QueueLimits } from "../protocol/queue.js";
import { apply } from "./apply.js";
import * as Audit from "./audit.js";
import * as Gates from "./gates.js";
import * as Slots from "./slots.js";

export type Pair = { jobId: Id<"jobs">; slotId: Id<"slots"> };

/**
 * Gives a job a slot, if both are still there. A job that one of its limits stops leaves the queue for
 * that gate, and the slot stays free. Hands out whether the job was assigned.
 */
export async function assign(
  ctx: MutationCtx,
  { jobId, slotId }: Pair,
  limits: QueueLimits,
): Promise<boolean> {
  const job = await ctx.db.get("jobs", jobId);
  if (job?.state.kind !== "pending") return false;
  const gate = await Gates.blocking(ctx, job, limits);
  if (gate !== null) {
    const event = { kind: "park", reason: gate.reason, gate: gate.name } as const;
    await apply(ctx, job, { event, actor: "dispatcher" });
    return false;
  }
  const slot = await Slots.take(ctx, slotId);
  if (slot === null) return false;
  const { executorId, ordinal } = slot;
  const event = { kind: "assign", executorId, ordinal } as const;
  await apply(ctx, job, { event, actor: "dispatcher" });
  return true;
}

/** Holds a job whose assignment fails, and says so in the audit log. */
export async function setAside(ctx: MutationCtx, jobId: Id<"jobs">, error: unknown): Promise<void> {
  const detail = messageOf(error);
  await Audit.write(ctx, { action: "job.setAside", actor: "dispatcher", target: jobId, detail });
  const job = await ctx.db.get("jobs", jobId);
  if (job?.state.kind !== "pending") return;
  const message = `The dispatcher could not assign it: ${detail}`;
  await apply(ctx, job, { event: { kind: "hold", message }, actor: "dispatcher" });
}
