import { internal } from "../_generated/api.js";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { isTerminal } from "../domain/lifecycle.js";
import { checkName } from "../domain/template.js";
import { accept, fail } from "../lib/errors.js";
import { BATCH_SIZE_MAX, BATCH_STEP, PAGE_SIZE_MAX } from "../protocol/limits.js";
import type { SubmissionItem } from "../protocol/queue.js";
import * as Submissions from "./submissions.js";

/**
 * Several jobs submitted as one: one prompt over many repositories, or over several models. The row is
 * written while the jobs are submitted, and not when they end: what became of them is read from them,
 * at most BATCH_SIZE_MAX rows, so that the ends of jobs do not contend for their batch.
 */

export const originOf = (batchId: Id<"batches">) => `batch:${batchId}`;

/** Whether this is the origin of a job that a batch submitted. */
export const isBatch = (origin: string): boolean => origin.startsWith("batch:");

/** Checks all items, submits the first, and has the rest submitted in steps. */
export async function create(
  ctx: MutationCtx,
  typed: { name: string; prompt: string; items: SubmissionItem[] },
  createdBy: string,
): Promise<Id<"batches">> {
  const name = accept(checkName(typed.name));
  const { prompt, items } = typed;
  if (items.length === 0 || items.length > BATCH_SIZE_MAX) {
    throw fail(
      "INVALID_ARGUMENT",
      `${items.length} items; a batch has from 1 to ${BATCH_SIZE_MAX}.`,
    );
  }
  for (const item of items) Submissions.check({ ...item, prompt });
  const row = { name, prompt, items, createdBy, created: 0, canceled: false };
  const batchId = await ctx.db.insert("batches", row);
  await step(ctx, batchId, 0);
  return batchId;
}

/** Submits the next jobs of a batch; a step that was done before does nothing. */
export async function step(ctx: MutationCtx, batchId: Id<"batches">, from: number): Promise<void> {
  const batch = await ctx.db.get("batches", batchId);
  if (batch === null || batch.canceled || batch.created !== from) return;
  const { prompt, createdBy: submittedBy, items } = batch;
  for (const item of items.slice(from, from + BATCH_STEP)) {
    await Submissions.submit(ctx, { ...item, prompt }, { submittedBy, origin: originOf(batchId) });
  }
  const created = Math.min(items.length, from + BATCH_STEP);
  await ctx.db.patch("batches", batchId, { created });
  if (created < items.length) {
    await ctx.scheduler.runAfter(0, internal.batches.step, { batchId, from: created });
  }
}

/** No further jobs are submitted; those that were are the caller's to cancel. */
export async function markCanceled(ctx: MutationCtx, batch: Doc<"batches">): Promise<void> {
  await ctx.db.patch("batches", batch._id, { canceled: true });
}

/** The batch; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, batchId: string): Promise<Doc<"batches">> {
  const id = ctx.db.normalizeId("batches", batchId);
  const row = id === null ? null : await ctx.db.get("batches", id);
  if (row === null) throw fail("NOT_FOUND", "That is not the id of a batch.");
  return row;
}

/** The newest batches. */
export async function list(ctx: QueryCtx): Promise<Doc<"batches">[]> {
  return ctx.db.query("batches").order("desc").take(PAGE_SIZE_MAX);
}

/** The jobs of a batch, in the order of its items. */
export async function jobs(ctx: QueryCtx, batch: Doc<"batches">): Promise<Doc<"jobs">[]> {
  return ctx.db
    .query("jobs")
    .withIndex("by_origin", (q) => q.eq("origin", originOf(batch._id)))
    .take(BATCH_SIZE_MAX);
}

/** What became of a batch. */
export async function summary(ctx: QueryCtx, batch: Doc<"batches">) {
  const states: Record<string, number> = {};
  const children = await jobs(ctx, batch);
  for (const { state } of children) states[state.kind] = (states[state.kind] ?? 0) + 1;
  const isComplete = batch.canceled || batch.created === batch.items.length;
  const ended = isComplete && children.every((job) => isTerminal(job.state.kind));
  return { ...view(batch), states, ended };
}

export function view(batch: Doc<"batches">) {
  const { _id: batchId, _creationTime: createdAt, name, createdBy, created, canceled } = batch;
  return { batchId, createdAt, name, createdBy, size: batch.items.length, created, canceled };
}
