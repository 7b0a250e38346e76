import type { PaginationOptions } from "convex/server";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";
import type { AuditFilter, AuditView } from "../protocol/identity.js";
import { AUDIT_FIELD_CHARS_MAX, PAGE_SIZE_MAX } from "../protocol/limits.js";

/**
 * Appends one line, with the address the call came from where a person or executor called. It is kept
 * only if the mutation commits: a refusal must return, not throw.
 */
export async function write(
  ctx: MutationCtx,
  line: { action: string; actor: string; target?: string; detail?: string },
): Promise<void> {
  const { action, actor, target, detail } = line;
  const ip = await addressOf(ctx);
  await ctx.db.insert("audit", {
    at: Clock.now(),
    action,
    actor: plain(actor),
    ...(target === undefined ? {} : { target: plain(target) }),
    ...(detail === undefined ? {} : { detail: plain(detail) }),
    ...(ip === null ? {} : { ip }),
  });
}

/** Where a call came from, as one printable line; null for calls the backend makes itself. */
export async function addressOf(ctx: MutationCtx): Promise<string | null> {
  const { ip } = await ctx.meta.getRequestMetadata();
  return ip === null ? null : plain(ip);
}

/** One line of printable ASCII: an audit field cannot forge another. */
export function plain(text: string): string {
  return text.slice(0, AUDIT_FIELD_CHARS_MAX).replace(/[^\x20-\x7e]/g, "?");
}

/** The latest lines of an action since a time, newest first. */
export async function latest(
  ctx: QueryCtx,
  { action, since }: { action: string; since: number },
  limit: number,
): Promise<Doc<"audit">[]> {
  return ctx.db
    .query("audit")
    .withIndex("by_action", (q) => q.eq("action", action).gte("at", since))
    .order("desc")
    .take(limit);
}

/**
 * A page of lines, newest first. One index is read, that of the rarest field given; the other fields
 * are looked for within the page, which may then be shorter than asked for.
 */
export async function list(
  ctx: QueryCtx,
  filter: AuditFilter,
  options: PaginationOptions,
): Promise<{ page: AuditView[]; isDone: boolean; continueCursor: string }> {
  const numItems = Math.min(options.numItems, PAGE_SIZE_MAX);
  const found = await range(ctx, filter)
    .order("desc")
    .paginate({ ...options, numItems });
  const { isDone, continueCursor } = found;
  return {
    page: found.page.filter((row) => matches(row, filter)).map(view),
    isDone,
    continueCursor,
  };
}

/** A page of lines, oldest first, as JSON, one a line. */
export async function exportPage(
  ctx: QueryCtx,
  filter: AuditFilter,
  options: { cursor: string | null; numItems: number },
): Promise<{ lines: string; count: number; isDone: boolean; cursor: string }> {
  const found = await range(ctx, filter).order("asc").paginate(options);
  const rows = found.page.filter((row) => matches(row, filter));
  const lines = rows.map((row) => `${JSON.stringify(view(row))}\n`).join("");
  const { isDone, continueCursor: cursor } = found;
  return { lines, count: rows.length, isDone, cursor };
}

function range(ctx: QueryCtx, { target, actor, action, from = 0, to = Infinity }: AuditFilter) {
  const audit = ctx.db.query("audit");
  if (target !== undefined) {
    return audit.withIndex("by_target", (q) => q.eq("target", target).gte("at", from).lt("at", to));
  }
  if (actor !== undefined) {
    return audit.withIndex("by_actor", (q) => q.eq("actor", actor).gte("at", from).lt("at", to));
  }
  if (action !== undefined) {
    return audit.withIndex("by_action", (q) => q.eq("action", action).gte("at", from).lt("at", to));
  }
  return audit.withIndex("by_time", (q) => q.gte("at", from).lt("at", to));
}

function matches(row: Doc<"audit">, { action, actor }: AuditFilter): boolean {
  return (action ?? row.action) === row.action && (actor ?? row.actor) === row.actor;
}

function view(row: Doc<"audit">): AuditView {
  const { at, action, actor, target, detail, ip } = row;
  return {
    at,
    action,
    actor,
    ...(target === undefined ? {} : { target }),
    ...(detail === undefined ? {} : { detail }),
    ...(ip === undefined ? {} : { ip }),
  };
}
