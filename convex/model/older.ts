import type { Doc } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import { PRUNE_BATCH } from "../protocol/limits.js";

type Aged =
  | ("audit" | "outbox" | "alerts" | "executors")
  | ("challenges" | "apiKeys" | "sessions" | "enrolments" | "assertionJtis");

/** Rows of small documents created before a time, after the cursor, at most PRUNE_BATCH. */
export async function older<Table extends Aged>(
  ctx: QueryCtx,
  table: Table,
  { before, cursor }: { before: number; cursor: number },
): Promise<Doc<Table>[]> {
  return ctx.db
    .query(table)
    .withIndex(
      "by_creation_time",
      (q) =>
        // The index is the same for each table; the types of a table that is a parameter do not say so.
        (q as never as CreationRange)
          .gt("_creationTime", cursor)
          .lt("_creationTime", before) as never,
    )
    .take(PRUNE_BATCH);
}
type CreationRange = {
  gt: (
    field: "_creationTime",
    value: number,
  ) => {
    lt: (field: "_creationTime", value: number) => unknown;
  };
};
