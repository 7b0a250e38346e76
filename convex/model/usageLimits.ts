import { internal } from "../_generated/api.js";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { fits, signature } from "../domain/labels.js";
import * as Clock from "../lib/clock.js";
import type { AttemptReport, Outcome } from "../protocol/job.js";
import type { Parking } from "./change.js";
import type * as Controls from "./controls.js";
import * as Credentials from "./credentials.js";
import * as Executors from "./executors.js";
import * as Gates from "./gates.js";
import * as Slots from "./slots.js";

/**
 * What a limit or a refusal of the API means for the credential, for its executor and for the jobs: the
 * credential rests until its reset, a job goes on at once where another credential can take it, and
 * else waits; one scheduled function wakes whoever waits.
 */

type Failed = Extract<Outcome, { kind: "failed" }>;
type Ended = { job: Doc<"jobs">; executor: Doc<"executors"> };

/**
 * Takes note of how an attempt ended, where that says something of its credential. Hands out where the
 * job has to wait; undefined: nowhere, or its reason decides.
 */
export async function heed(
  ctx: MutationCtx,
  ended: Ended,
  { outcome, report }: { outcome: Outcome; report: AttemptReport },
): Promise<Parking | undefined> {
  const { windows = [] } = report;
  const isLimited = outcome.kind === "failed" && outcome.reason === "usageLimit";
  const isRefused = outcome.kind === "failed" && outcome.reason === "cliAuth";
  if (windows.length === 0 && !isLimited && !isRefused) return undefined;
  const row = await used(ctx, ended);
  if (row === null) return undefined;
  await Credentials.note(ctx, row, windows);
  if (isLimited) await rest(ctx, row, outcome);
  if (isRefused) await Credentials.mistrust(ctx, row, outcome);
  if (!isLimited && !(isRefused && row.secretId !== undefined)) return undefined;
  if (await canGoOn(ctx, ended)) return undefined;
  const until = await Credentials.firstReset(ctx);
  return { reason: "credential", gate: Credentials.GATE, ...(until === null ? {} : { until }) };
}

/** The credential of an attempt; null when it was removed meanwhile. */
async function used(ctx: MutationCtx, { job, executor }: Ended) {
  const credentialId = job.live?.credentialId;
  return credentialId === undefined
    ? Credentials.ofExecutor(ctx, executor)
    : ctx.db.get("claudeCredentials", credentialId);
}

async function rest(
  ctx: MutationCtx,
  row: Doc<"claudeCredentials">,
  { limit = {}, message }: Failed,
): Promise<void> {
  const at = await Credentials.limit(ctx, row, { told: limit, message });
  if (row.executorId !== undefined) await Executors.blockLogin(ctx, row.executorId, true);
  await ctx.scheduler.runAt(at, internal.credentials.reset, { credentialId: row._id });
}

/** Whether somebody else could take the job now: with a login of its own, or a credential to give. */
async function canGoOn(ctx: QueryCtx, { job }: Ended): Promise<boolean> {
  const online = await Executors.online(ctx);
  const fitting = online.filter(
    (each) => Slots.isOpen(each) && fits(job.lane, signature(each.labels)),
  );
  if (fitting.some((each) => each.login !== "none")) return true;
  return fitting.length > 0 && (await Credentials.choose(ctx)) !== null;
}

/** A credential whose limit has ended may be used again, and who waited is let in. */
export async function reset(ctx: MutationCtx, id: Id<"claudeCredentials">): Promise<void> {
  const row = await ctx.db.get("claudeCredentials", id);
  // A later limit has a scheduled function of its own.
  if (row?.status !== "limited" || (row.limitedUntil ?? 0) > Clock.now()) return;
  await setStatus(ctx, row, "ok");
}

/** Lets a credential be used, or keeps it from that; who waited for it is let in. */
export async function setStatus(
  ctx: MutationCtx,
  row: Doc<"claudeCredentials">,
  status: "ok" | "disabled",
): Promise<void> {
  await Credentials.setStatus(ctx, row._id, status);
  if (row.executorId !== undefined) {
    await Executors.blockLogin(ctx, row.executorId, status === "disabled");
  }
  if (status === "ok") await letIn(ctx);
}

/** Lets in who waits for a credential, because there may be one. */
export async function letIn(ctx: MutationCtx): Promise<void> {
  await ctx.scheduler.runAfter(0, internal.queue.goOnLettingAllIn, { gate: Credentials.GATE });
}

/** An executor registered, or is trusted again: who waits for a credential may run there. */
export async function welcome(ctx: MutationCtx): Promise<void> {
  if ((await Gates.nextWaiting(ctx, Credentials.GATE, null)) !== null) await letIn(ctx);
}

/**
 * Net under the scheduled resets, each minute: those that are overdue; and who waits for a credential
 * of the deployment while an executor with a login of its own is free.
 */
export async function revive(ctx: MutationCtx): Promise<void> {
  for (const row of await Credentials.due(ctx, Clock.now())) await setStatus(ctx, row, "ok");
  await welcome(ctx);
}

/** Whether assignments to this executor need a credential of the deployment. */
export async function needsCredential(
  ctx: QueryCtx,
  slotId: Id<"slots">,
  controls: Controls.Controls,
): Promise<boolean> {
  if (controls.credentials !== true) return false;
  const slot = await ctx.db.get("slots", slotId);
  const executor = slot === null ? null : await ctx.db.get("executors", slot.executorId);
  return executor?.login === "none";
}
