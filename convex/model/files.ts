import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { isSameDigest } from "../domain/digest.js";
import * as Clock from "../lib/clock.js";
import { fail } from "../lib/errors.js";
import type { OfferedPart, StoredPart } from "../protocol/checkpoint.js";
import { FILE_SWEEP_BATCH, UNATTACHED_FILE_MS } from "../protocol/limits.js";

/**
 * Throws INVALID_ARGUMENT unless each file is there, is what its uploader says, and belongs to nothing
 * yet: nobody can have another's file handed out or deleted by naming it.
 */
export async function requireFresh(ctx: QueryCtx, parts: readonly StoredPart[]): Promise<void> {
  const named = new Set(parts.map((part) => part.storageId));
  if (named.size !== parts.length) throw fail("INVALID_ARGUMENT", "A file is named twice.");
  for (const { storageId, sha256, bytes } of parts) {
    const file = await ctx.db.system.get("_storage", storageId);
    if (file === null) throw fail("INVALID_ARGUMENT", "A file that was named is not stored.");
    if (file.size !== bytes || !isSameDigest(file.sha256, sha256)) {
      throw fail("INVALID_ARGUMENT", "A stored file is not what its uploader says: upload again.");
    }
    if (await isAttached(ctx, storageId)) {
      throw fail("INVALID_ARGUMENT", "A file that was named belongs to something else.");
    }
  }
}

/** URLs of files for whoever may read them; null when one of them is gone. */
export async function offer(
  ctx: QueryCtx,
  parts: readonly Pick<Doc<"checkpointParts">, "storageId" | "sha256" | "bytes">[],
): Promise<OfferedPart[] | null> {
  const offered: OfferedPart[] = [];
  for (const { storageId, sha256, bytes } of parts) {
    const url = await ctx.storage.getUrl(storageId);
    if (url === null) return null;
    offered.push({ url, sha256, bytes });
  }
  return offered;
}

/** Deletes a file, unless somebody did already. */
export async function remove(ctx: MutationCtx, storageId: Id<"_storage">): Promise<void> {
  if ((await ctx.db.system.get("_storage", storageId)) !== null) {
    await ctx.storage.delete(storageId);
  }
}

/**
 * Deletes files that were uploaded and never attached. Looks at each file once, when it is old enough
 * to have been. Hands out whether more are due.
 */
export async function sweep(ctx: MutationCtx): Promise<boolean> {
  const row = await ctx.db.query("fileSweep").first();
  const cursor = row?.cursor ?? 0;
  const files = await ctx.db.system
    .query("_storage")
    .withIndex("by_creation_time", (q) =>
      q.gt("_creationTime", cursor).lt("_creationTime", Clock.now() - UNATTACHED_FILE_MS),
    )
    .take(FILE_SWEEP_BATCH);
  for (const file of files) {
    if (!(await isAttached(ctx, file._id))) await ctx.storage.delete(file._id);
  }
  const last = files.at(-1);
  if (last === undefined) return false;
  const next = { cursor: last._creationTime };
  if (row === null) await ctx.db.insert("fileSweep", next);
  else await ctx.db.patch("fileSweep", row._id, next);
  return files.length === FILE_SWEEP_BATCH;
}

async function isAttached(ctx: QueryCtx, storageId: Id<"_storage">): Promise<boolean> {
  const part = await ctx.db
    .query("checkpointParts")
    .withIndex("by_storage", (q) => q.eq("storageId", storageId))
    .first();
  if (part !== null) return true;
  const artifact = await ctx.db
    .query("artifacts")
    .withIndex("by_storage", (q) => q.eq("storageId", storageId))
    .first();
  return artifact !== null;
}
