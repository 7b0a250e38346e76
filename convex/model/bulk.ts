import type { PaginationResult } from "convex/server";
import { internal } from "../_generated/api.js";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { checkFilter, findState, matches } from "../domain/bulk.js";
import * as Clock from "../lib/clock.js";
import { accept, fail, messageOf } from "../lib/errors.js";
import { BULK_PAGE, PAGE_SIZE_MAX } from "../protocol/limits.js";
import type { BulkAction, BulkFilter } from "../protocol/queue.js";
import { apply } from "./apply.js";
import * as Audit from "./audit.js";
import { originOf } from "./batches.js";
import type { JobEvent } from "./change.js";
import * as Jobs from "./jobs.js";

/**
 * One action over all jobs that meet a filter, in the background: a chain of pages, each a bounded
 * transaction. A page does its jobs in nested mutations, so that one that is refused stops no other,
 * and writes what became of each. A page that runs twice finds its number used up.
 */

type Request = { action: BulkAction; filter: BulkFilter; actor: string };

export async function start(ctx: MutationCtx, request: Request): Promise<Id<"bulkOperations">> {
  const { action, actor } = request;
  const filter = accept(checkFilter(request.filter));
  const operationId = await ctx.db.insert("bulkOperations", {
    ...{ action, filter, actor, status: "running" },
    // The jobs of this very moment belong to it too.
    until: Math.min(filter.to ?? Infinity, Clock.now() + 1),
    ...{ pages: 0, cursor: null, looked: 0, done: 0, refused: 0 },
  });
  await Audit.write(ctx, { action: `bulk.${action}`, actor, target: operationId });
  await ctx.scheduler.runAfter(0, internal.bulk.page, { operationId, page: 0 });
  return operationId;
}

/** Does one page. Hands out nothing: the row tells how far it is. */
export async function page(
  ctx: MutationCtx,
  operationId: Id<"bulkOperations">,
  number: number,
): Promise<void> {
  const operation = await ctx.db.get("bulkOperations", operationId);
  if (operation?.status !== "running" || operation.pages !== number) return;
  const found = await jobsOf(ctx, operation);
  const counts = { done: operation.done, refused: operation.refused };
  for (const job of found.page) {
    if (!matches(operation.filter, job)) continue;
    const outcome = await actOn(ctx, operation, job._id);
    await ctx.db.insert("bulkOutcomes", { operationId, jobId: job._id, ...outcome });
    counts[outcome.ok ? "done" : "refused"] += 1;
  }
  await ctx.db.patch("bulkOperations", operationId, {
    ...counts,
    looked: operation.looked + found.page.length,
    pages: number + 1,
    cursor: found.continueCursor,
    ...(found.isDone ? { status: "done" as const, endedAt: Clock.now() } : {}),
  });
  if (found.isDone) return;
  await ctx.scheduler.runAfter(0, internal.bulk.page, { operationId, page: number + 1 });
}

/** Acts on one job of an operation; throws where the table of transitions refuses. */
export async function act(
  ctx: MutationCtx,
  jobId: Id<"jobs">,
  { action, actor }: { action: BulkAction; actor: string },
): Promise<string> {
  const event: JobEvent = { kind: action };
  return (await apply(ctx, await Jobs.get(ctx, jobId), { event, actor })).kind;
}

/** Ends an operation after the page it is at. What it did stays done. */
export async function cancel(ctx: MutationCtx, operation: Doc<"bulkOperations">): Promise<void> {
  if (operation.status !== "running") return;
  await ctx.db.patch("bulkOperations", operation._id, { status: "canceled", endedAt: Clock.now() });
}

/** The operation; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, operationId: string): Promise<Doc<"bulkOperations">> {
  const id = ctx.db.normalizeId("bulkOperations", operationId);
  const row = id === null ? null : await ctx.db.get("bulkOperations", id);
  if (row === null) throw fail("NOT_FOUND", "That is not the id of a bulk operation.");
  return row;
}

/** The newest operations. */
export async function list(ctx: QueryCtx): Promise<Doc<"bulkOperations">[]> {
  return ctx.db.query("bulkOperations").order("desc").take(PAGE_SIZE_MAX);
}

/** A page of what an operation did to each job, in its order. */
export async function outcomes(
  ctx: QueryCtx,
  operation: Doc<"bulkOperations">,
  options: { numItems: number; cursor: string | null },
) {
  const found = await ctx.db
    .query("bulkOutcomes")
    .withIndex("by_operation", (q) => q.eq("operationId", operation._id))
    .paginate({ ...options, numItems: Math.min(options.numItems, PAGE_SIZE_MAX) });
  return { ...found, page: found.page.map(({ jobId, ok, detail }) => ({ jobId, ok, detail })) };
}

export function view(row: Doc<"bulkOperations">) {
  const { _id: operationId, _creationTime: startedAt, action, filter, actor, status } = row;
  const { looked, done, refused, endedAt } = row;
  return {
    ...{ operationId, startedAt, action, filter, actor, status, looked, done, refused },
    ...(endedAt === undefined ? {} : { endedAt }),
  };
}

async function actOn(
  ctx: MutationCtx,
  { action, actor }: Doc<"bulkOperations">,
  jobId: Id<"jobs">,
): Promise<{ ok: boolean; detail: string }> {
  try {
    const detail: string = await ctx.runMutation(internal.bulk.act, { jobId, action, actor });
    return { ok: true, detail };
  } catch (error) {
    return { ok: false, detail: messageOf(error) };
  }
}

/** The next jobs in the order of submission. */
async function jobsOf(
  ctx: QueryCtx,
  { filter, until, cursor }: Doc<"bulkOperations">,
): Promise<PaginationResult<Doc<"jobs">>> {
  const { batchId, from, state } = filter;
  const origin = batchId === undefined ? undefined : originOf(batchId);
  const rows = Jobs.walk(ctx, { state: findState(state ?? ""), origin, from, until });
  return rows.paginate({ numItems: BULK_PAGE, cursor });
}
