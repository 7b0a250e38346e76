import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { isTerminal } from "../domain/lifecycle.js";
import { checkText, withoutSecrets } from "../domain/steering.js";
import * as Clock from "../lib/clock.js";
import { makeUuid } from "../lib/crypto.js";
import { accept, fail } from "../lib/errors.js";
import { CHECKPOINT_SLACK_MS, STEERING_PER_JOB_MAX } from "../protocol/limits.js";
import type {
  SteeringKind,
  SteeringOrder,
  SteeringState,
  SteeringView,
} from "../protocol/steering.js";

/**
 * Commands of people to a job under way. The job counts them: that is how its executor's subscription
 * learns of a new one, which it then fetches and answers for under its fencing token. A message is for
 * the conversation and outlives its attempt; an interrupt and a stop are for the attempt they were
 * given to.
 */
type Row = Doc<"steering">;

/** Takes a command down. ILLEGAL_TRANSITION where the job's state has no use for it. */
export async function send(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { kind, text, by }: { kind: SteeringKind; text?: string | undefined; by: string },
): Promise<Id<"steering">> {
  requireUse(job, kind);
  const seq = job.steered ?? 0;
  if (seq >= STEERING_PER_JOB_MAX) {
    throw fail(
      "ILLEGAL_TRANSITION",
      `Job ${job._id} was told ${seq} things, which is the most. Follow it up when it has ended.`,
    );
  }
  const said = text === undefined ? {} : { text: accept(checkText(text)) };
  const at = Clock.now();
  const steeringId = await ctx.db.insert("steering", {
    ...{ jobId: job._id, seq, kind, messageId: makeUuid(), ...said, by, at },
    ...{ state: "sent", stateAt: at },
    ...(kind === "message" ? {} : { attempt: job.attempt }),
  });
  await ctx.db.patch("jobs", job._id, { steered: seq + 1 });
  return steeringId;
}

function requireUse({ _id, state, cancelRequestedAt }: Doc<"jobs">, kind: SteeringKind): void {
  if (isTerminal(state.kind)) {
    throw fail(
      "ILLEGAL_TRANSITION",
      `Job ${_id} has ended (${state.kind}): go on with its session by jobs:followUp.`,
    );
  }
  if (cancelRequestedAt !== undefined) {
    throw fail("ILLEGAL_TRANSITION", `Job ${_id} is being canceled and takes nothing more.`);
  }
  if (kind !== "message" && state.kind !== "running") {
    throw fail(
      "ILLEGAL_TRANSITION",
      `Job ${_id} is ${state.kind}: only a run can be interrupted or stopped. Cancel or hold it instead.`,
    );
  }
}

/** What the attempt under way has to do, in order; what was for an attempt before comes to its end. */
export async function take(ctx: MutationCtx, job: Doc<"jobs">): Promise<SteeringOrder[]> {
  const orders: SteeringOrder[] = [];
  for (const row of await rows(ctx, job._id)) {
    if (!isOpen(row)) continue;
    if (row.kind !== "message" && row.attempt !== job.attempt) {
      await settle(ctx, row, { state: "undelivered", reason: PASSED });
      continue;
    }
    const { _id: steeringId, kind, messageId, text } = row;
    if (row.state === "sent" || row.attempt !== job.attempt) {
      const delivered = { state: "delivered", stateAt: Clock.now(), attempt: job.attempt } as const;
      await ctx.db.patch("steering", steeringId, delivered);
    }
    orders.push({ steeringId, kind, messageId, ...(text === undefined ? {} : { text }) });
  }
  return orders;
}

/** The executor's word on a command that it was given; what came to its end before stays. */
export async function acknowledge(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { steeringId, refused }: { steeringId: Id<"steering">; refused: string | undefined },
): Promise<void> {
  const row = await ctx.db.get("steering", steeringId);
  if (row?.jobId !== job._id || row.attempt !== job.attempt || row.state !== "delivered") return;
  const end =
    refused === undefined
      ? { state: "acknowledged" as const }
      : { state: "refused" as const, reason: refused };
  await settle(ctx, row, end);
}

/** The job is over: what nobody took up comes to its end. */
export async function close(ctx: MutationCtx, job: Doc<"jobs">): Promise<void> {
  if (job.steered === undefined) return;
  for (const row of await rows(ctx, job._id)) {
    if (isOpen(row)) await settle(ctx, row, { state: "undelivered", reason: UNHEARD });
  }
}
const PASSED = "The attempt it was for had ended.";
const UNHEARD =
  "The job ended before the run took it up. Say it in a follow-up: it goes on with the same session.";

/**
 * A new attempt goes on from a checkpoint that was made when `since` was, or from nothing (-Infinity):
 * messages that its conversation may not contain are said again.
 */
export async function rewind(ctx: MutationCtx, job: Doc<"jobs">, since: number): Promise<void> {
  if (job.steered === undefined) return;
  for (const row of await rows(ctx, job._id)) {
    const isLost =
      row.kind === "message" &&
      row.state === "acknowledged" &&
      row.stateAt > since - CHECKPOINT_SLACK_MS &&
      row.attempt !== job.attempt;
    if (isLost) await ctx.db.patch("steering", row._id, { state: "sent", stateAt: Clock.now() });
  }
}

/** A job's commands, oldest first. */
export async function list(ctx: QueryCtx, jobId: Id<"jobs">): Promise<SteeringView[]> {
  return (await rows(ctx, jobId)).map(
    ({ _id: steeringId, kind, text, by, at, state, stateAt, attempt, reason }) => ({
      ...{ steeringId, kind, by, at, state, stateAt },
      ...(text === undefined ? {} : { text: withoutSecrets(text) }),
      ...(attempt === undefined ? {} : { attempt }),
      ...(reason === undefined ? {} : { reason }),
    }),
  );
}

/** Deletes a job's commands. Hands out how many. */
export async function remove(ctx: MutationCtx, job: Doc<"jobs">): Promise<number> {
  if (job.steered === undefined) return 0;
  const all = await rows(ctx, job._id);
  for (const row of all) await ctx.db.delete("steering", row._id);
  return all.length;
}

/** How many commands of a job nobody has settled, and how much text it took to know. */
export async function weigh(
  ctx: QueryCtx,
  job: Doc<"jobs">,
): Promise<{ open: number; chars: number }> {
  const all = job.steered === undefined ? [] : await rows(ctx, job._id);
  const chars = all.reduce((sum, { text }) => sum + (text?.length ?? 0), 0);
  return { open: all.filter(isOpen).length, chars };
}

function isOpen({ state }: Row): boolean {
  return state === "sent" || state === "delivered";
}

async function rows(ctx: QueryCtx, jobId: Id<"jobs">): Promise<Row[]> {
  return ctx.db
    .query("steering")
    .withIndex("by_job", (q) => q.eq("jobId", jobId))
    .take(STEERING_PER_JOB_MAX);
}

async function settle(
  ctx: MutationCtx,
  row: Row,
  end: { state: SteeringState; reason?: string },
): Promise<void> {
  await ctx.db.patch("steering", row._id, { ...end, stateAt: Clock.now() });
}
