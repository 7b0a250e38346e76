import { internal } from "../_generated/api.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { checkGate, checkLimit, checkNote } from "../domain/controls.js";
import * as Clock from "../lib/clock.js";
import { accept } from "../lib/errors.js";
import { GATE_LIMIT_MAX, GATES_PER_STEP, RUNNING_LIMIT_MAX } from "../protocol/limits.js";
import type { Pause, QueueLimits } from "../protocol/queue.js";
import { letIn } from "./apply.js";
import * as Audit from "./audit.js";
import * as Controls from "./controls.js";
import * as Dispatcher from "./dispatcher.js";
import * as Gates from "./gates.js";

/** What operators do to the queue as a whole. */

/** Nothing is dispatched from the commit of this on; what runs goes on, submissions are taken. */
export async function pause(
  ctx: MutationCtx,
  { kind, reason, by }: { kind: Pause["kind"]; reason: string; by: string },
): Promise<void> {
  const note = accept(checkNote(reason));
  await Controls.setPause(ctx, { kind, reason: note, since: Clock.now(), by });
  await Audit.write(ctx, { action: `queue.${kind}`, actor: by, detail: note });
}

export async function resume(ctx: MutationCtx, by: string): Promise<void> {
  await Controls.setPause(ctx, null);
  await Audit.write(ctx, { action: "queue.resumed", actor: by });
  await Dispatcher.schedule(ctx);
}

/** Sets limits that hold for all; what is left out stays. */
export async function setLimits(
  ctx: MutationCtx,
  limits: Partial<QueueLimits>,
  by: string,
): Promise<void> {
  const { running, perSubmitter, perKey } = limits;
  if (typeof running === "number") accept(checkLimit("running", running, [1, RUNNING_LIMIT_MAX]));
  if (typeof perSubmitter === "number") {
    accept(checkLimit("perSubmitter", perSubmitter, [1, GATE_LIMIT_MAX]));
  }
  if (perKey !== undefined) accept(checkLimit("perKey", perKey, [1, GATE_LIMIT_MAX]));
  await Controls.setLimits(ctx, limits);
  const detail = JSON.stringify(limits);
  await Audit.write(ctx, { action: "queue.limits", actor: by, detail });
  await ctx.scheduler.runAfter(0, internal.queue.lookAtGates, { after: "" });
  await Dispatcher.schedule(ctx);
}

/** Sets the limit of one key or submitter; 0 pauses it, null goes back to the usual one. */
export async function setGateLimit(
  ctx: MutationCtx,
  { gate, limit, note }: { gate: string; limit: number | null; note?: string },
  by: string,
): Promise<void> {
  accept(checkGate(gate));
  if (limit !== null) accept(checkLimit("limit", limit, [0, GATE_LIMIT_MAX]));
  await Gates.setLimit(ctx, gate, {
    limit,
    ...(note === undefined ? {} : { note: accept(checkNote(note)) }),
  });
  const detail = limit === null ? "cleared" : String(limit);
  await Audit.write(ctx, { action: "queue.gateLimit", actor: by, target: gate, detail });
  await ctx.scheduler.runAfter(0, internal.queue.goOnLettingIn, {
    ...{ gate, lane: null, rounds: limit ?? GATE_LIMIT_MAX },
  });
}

/** Lets jobs in at a gate, one of each lane a round, until it is full or nobody waits. */
export async function letInRounds(
  ctx: MutationCtx,
  { gate, lane, rounds }: { gate: string; lane: string | null; rounds: number },
): Promise<void> {
  const mayHaveMore = rounds > 0 && (await letIn(ctx, gate, lane));
  if (!mayHaveMore || rounds <= 1) return;
  await ctx.scheduler.runAfter(0, internal.queue.goOnLettingIn, {
    ...{ gate, lane, rounds: rounds - 1 },
  });
}

/** After a change of all limits: looks at each gate somebody waits at, a few a step. */
export async function lookAtGates(ctx: MutationCtx, after: string): Promise<void> {
  let last = after;
  for (let i = 0; i < GATES_PER_STEP; i += 1) {
    const gate = await Gates.nextGate(ctx, last);
    if (gate === null) return;
    await ctx.scheduler.runAfter(0, internal.queue.goOnLettingIn, {
      ...{ gate, lane: null, rounds: GATE_LIMIT_MAX },
    });
    last = gate;
  }
  await ctx.scheduler.runAfter(0, internal.queue.lookAtGates, { after: last });
}

export async function view(ctx: QueryCtx) {
  const { paused, limits } = await Controls.get(ctx);
  const gates = await Gates.list(ctx);
  return { paused, limits, gates, dispatcher: await Dispatcher.status(ctx) };
}
