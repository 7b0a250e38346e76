import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import type { Gate } from "../domain/waiting.js";
import { apply } from "./apply.js";
import * as Audit from "./audit.js";
import type * as Controls from "./controls.js";
import * as Credentials from "./credentials.js";
import * as Gates from "./gates.js";
import * as Reservations from "./reservations.js";
import * as Slots from "./slots.js";
import * as Spending from "./spending.js";
import { transit } from "./transitions.js";
import * as UsageLimits from "./usageLimits.js";

/** Action of the audit row that says why a job was set aside. */
export const SET_ASIDE = "job.setAside";

export type Pair = { jobId: Id<"jobs">; slotId: Id<"slots"> };

/**
 * Gives a job a slot, if both are still there. A job that one of its limits stops leaves the queue for
 * that gate, and the slot stays free. Hands out whether the job was assigned.
 */
export async function assign(
  ctx: MutationCtx,
  { jobId, slotId }: Pair,
  controls: Controls.Controls,
): Promise<boolean> {
  const job = await ctx.db.get("jobs", jobId);
  if (job?.state.kind !== "pending") return false;
  const gate = await Gates.blocking(ctx, job, controls.limits);
  if (gate !== null) return park(ctx, job, gate);
  const needsCredential = await UsageLimits.needsCredential(ctx, slotId, controls);
  const credentialId = needsCredential ? await Credentials.choose(ctx) : undefined;
  if (credentialId === null) return park(ctx, job, await Credentials.closed(ctx));
  const plan =
    controls.budgets === true
      ? await Reservations.plan(ctx, job, { credentialId, left: Spending.left(job) })
      : { holds: [] };
  if ("blocked" in plan) return parkAtBudget(ctx, job, plan.blocked);
  const slot = await Slots.take(ctx, slotId);
  if (slot === null) return false;
  const { executorId, ordinal, leaseMs } = slot;
  const budgets = plan.holds.map(({ row }) => row._id);
  const means = {
    ...(credentialId === undefined ? {} : { credentialId }),
    ...(budgets.length === 0 ? {} : { budgets }),
  };
  await Reservations.hold(ctx, { jobId, token: job.token + 1 }, plan.holds);
  const event = { kind: "assign", executorId, ordinal, leaseMs, means } as const;
  await apply(ctx, job, { event, actor: "dispatcher" });
  if (credentialId !== undefined) {
    await Credentials.use(ctx, { credentialId, jobId, token: job.token + 1 });
  }
  return true;
}

/** The same at a budget, whose next period lets everybody in again. */
async function parkAtBudget(ctx: MutationCtx, job: Doc<"jobs">, gate: Gate): Promise<false> {
  await Spending.wakeAtEnd(ctx, gate);
  return park(ctx, job, gate);
}

/** Takes a job out of the queue to wait at a gate. Hands out that it was not assigned. */
async function park(ctx: MutationCtx, job: Doc<"jobs">, gate: Gate): Promise<false> {
  const { name, reason, until } = gate;
  const parking = { gate: name, ...(until === undefined ? {} : { until }) };
  await apply(ctx, job, { event: { kind: "park", reason, ...parking }, actor: "dispatcher" });
  return false;
}

/**
 * Holds a job whose assignment fails, and says so in the audit log, of which an alert is made. `alone`
 * leaves out what would follow for other jobs at its gates: these wait until the next one leaves.
 */
export async function setAside(
  ctx: MutationCtx,
  jobId: Id<"jobs">,
  { why, alone }: { why: string; alone: boolean },
): Promise<void> {
  await Audit.write(ctx, { action: SET_ASIDE, actor: "dispatcher", target: jobId, detail: why });
  const job = await ctx.db.get("jobs", jobId);
  if (job?.state.kind !== "pending") return;
  const message = `The dispatcher could not assign it: ${why}`;
  const happening = { event: { kind: "hold", message }, actor: "dispatcher" } as const;
  if (alone) await transit(ctx, job, happening);
  else await apply(ctx, job, happening);
}
