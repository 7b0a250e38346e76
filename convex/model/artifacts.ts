import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { checkArtifact } from "../domain/artifact.js";
import { accept, fail } from "../lib/errors.js";
import type { Artifact, ArtifactView } from "../protocol/artifact.js";
import { ARTIFACTS_MAX } from "../protocol/limits.js";
import * as Files from "./files.js";

/** Keeps an artifact of the attempt that holds the job. One of the same kind, name and content is a repeat. */
export async function attach(ctx: MutationCtx, job: Doc<"jobs">, given: Artifact): Promise<void> {
  const kept = await ofAttempt(ctx, job._id, job.attempt);
  const same = kept.find(({ name, kind }) => name === given.name && kind === given.kind);
  if (same?.sha256 === given.sha256) return;
  const checked = accept(checkArtifact(given, kept));
  await Files.requireFresh(ctx, [checked]);
  await ctx.db.insert("artifacts", { jobId: job._id, attempt: job.attempt, ...checked });
}

/** The artifacts of an attempt by name. */
export async function list(
  ctx: QueryCtx,
  jobId: Id<"jobs">,
  attempt: number,
): Promise<ArtifactView[]> {
  return (await ofAttempt(ctx, jobId, attempt)).map((row) => ({
    artifactId: row._id,
    attempt: row.attempt,
    name: row.name,
    kind: row.kind,
    sha256: row.sha256,
    bytes: row.bytes,
    at: row._creationTime,
  }));
}

/** Where an artifact can be fetched from; throws NOT_FOUND. */
export async function url(ctx: QueryCtx, artifactId: Id<"artifacts">): Promise<string> {
  const row = await ctx.db.get("artifacts", artifactId);
  const found = row === null ? null : await ctx.storage.getUrl(row.storageId);
  if (found === null) throw fail("NOT_FOUND", "There is no such artifact any more.");
  return found;
}

/** Counts the artifacts of a job, at most `limit`. */
export async function count(ctx: QueryCtx, jobId: Id<"jobs">, limit: number): Promise<number> {
  const rows = await ctx.db
    .query("artifacts")
    .withIndex("by_job", (q) => q.eq("jobId", jobId))
    .take(limit);
  return rows.length;
}

/** Deletes at most `limit` artifacts of a job with their files. Hands out how many. */
export async function remove(ctx: MutationCtx, jobId: Id<"jobs">, limit: number): Promise<number> {
  const rows = await ctx.db
    .query("artifacts")
    .withIndex("by_job", (q) => q.eq("jobId", jobId))
    .take(limit);
  for (const row of rows) {
    await ctx.db.delete("artifacts", row._id);
    await Files.remove(ctx, row.storageId);
  }
  return rows.length;
}

async function ofAttempt(
  ctx: QueryCtx,
  jobId: Id<"jobs">,
  attempt: number,
): Promise<Doc<"artifacts">[]> {
  return ctx.db
    .query("artifacts")
    .withIndex("by_job", (q) => q.eq("jobId", jobId).eq("attempt", attempt))
    .take(ARTIFACTS_MAX);
}
