import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { PRUNE_BATCH } from "../protocol/limits.js";
import type { RetentionStep, RowCounts } from "../protocol/retention.js";
import * as ApiKeys from "./apiKeys.js";
import * as Assertions from "./assertions.js";
import * as Challenges from "./challenges.js";
import * as Enrolments from "./enrolments.js";
import { older } from "./older.js";
import * as RateLimits from "./rateLimits.js";
import * as Sessions from "./sessions.js";

/** Rows of identities that have an end of their own; retention deletes those that are over. */

/** Deletes a bounded number of each table. */
export async function remove(ctx: MutationCtx): Promise<RetentionStep> {
  // In a component's own tables, which no count of ours reaches.
  await RateLimits.prune(ctx);
  const rows: RowCounts = {
    challenges: await Challenges.prune(ctx),
    apiKeys: await ApiKeys.prune(ctx),
    sessions: await Sessions.prune(ctx),
    enrolments: await Enrolments.prune(ctx),
    assertionJtis: await Assertions.prune(ctx),
  };
  const isDone = Object.values(rows).every((count) => count < PRUNE_BATCH);
  return { rows, cursor: 0, isDone };
}

/** Counts what is over by then among the rows after the cursor, in the order of creation. */
export async function preview(
  ctx: QueryCtx,
  { before, cursor }: { before: number; cursor: number },
): Promise<RetentionStep> {
  const pages = {
    challenges: await page(ctx, "challenges", cursor),
    apiKeys: await page(ctx, "apiKeys", cursor),
    sessions: await page(ctx, "sessions", cursor),
    enrolments: await page(ctx, "enrolments", cursor),
    assertionJtis: await page(ctx, "assertionJtis", cursor),
  };
  // Tables are read at one pace: up to where the first full page ends.
  const full = Object.values(pages).filter((rows) => rows.length === PRUNE_BATCH);
  const reached = Math.min(...full.map((rows) => rows.at(-1)?.at ?? 0));
  const over = (rows: readonly Seen[]) =>
    rows.filter(({ at, endsAt }) => at <= reached && endsAt > 0 && endsAt <= before).length;
  const rows: RowCounts = Object.fromEntries(
    Object.entries(pages).map(([table, found]) => [table, over(found)]),
  );
  const isDone = full.length === 0;
  return { rows, cursor: isDone ? 0 : reached, isDone };
}

type Seen = { at: number; endsAt: number };

const all = (cursor: number) => ({ before: Number.MAX_VALUE, cursor });

function seen<Row extends { _creationTime: number }>(endOf: (row: Row) => number) {
  return (row: Row): Seen => ({ at: row._creationTime, endsAt: endOf(row) });
}

async function page(
  ctx: QueryCtx,
  table: "challenges" | "apiKeys" | "sessions" | "enrolments" | "assertionJtis",
  cursor: number,
): Promise<Seen[]> {
  const rows: { _creationTime: number; expiresAt: number }[] = await older(ctx, table, all(cursor));
  return rows.map(seen(({ expiresAt }) => expiresAt));
}
