import { internal } from "../_generated/api.js";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { bytesOf, checkCheckpoint } from "../domain/checkpoint.js";
import { POLICIES } from "../domain/retry.js";
import { answerMessage } from "../domain/steering.js";
import * as Clock from "../lib/clock.js";
import { accept } from "../lib/errors.js";
import type {
  Checkpoint,
  CheckpointView,
  GoOn,
  Resume,
  StoredPart,
} from "../protocol/checkpoint.js";
import {
  CHECKPOINT_CLEAR_BATCH,
  CHECKPOINT_OFFERS_MAX,
  CHECKPOINT_TRANSCRIPT_PARTS_MAX,
  CHECKPOINT_TREE_PARTS_MAX,
  SESSION_KEPT_MS,
} from "../protocol/limits.js";
import * as Attempts from "./attempts.js";
import * as Files from "./files.js";
import * as Questions from "./questions.js";

/**
 * Keeps a checkpoint of the attempt that holds the job; what it supersedes is deleted in the same
 * transaction. One that is not newer than what is kept of the attempt changes nothing: it is a repeat.
 */
export async function attach(ctx: MutationCtx, job: Doc<"jobs">, given: Checkpoint): Promise<void> {
  const kept = await find(ctx, job._id);
  if (kept?.attempt === job.attempt && kept.seq >= given.seq) return;
  const before = kept === null ? [] : await parts(ctx, kept._id, "transcript");
  const known = kept === null ? null : { ...kept, transcriptParts: before.length };
  const { transcript, tree, ...facts } = accept(checkCheckpoint(given, job.attempt, known));
  const fresh = [...transcript.parts, ...(tree ?? [])];
  await Files.requireFresh(ctx, fresh);
  const goneTree = kept === null || tree === null ? [] : await parts(ctx, kept._id, "tree");
  const gone = [...goneTree, ...(transcript.mode === "replace" ? before : [])];
  await removeParts(ctx, gone);
  const added = bytesOf(fresh);
  const { bytes, uploadedBytes, nextIndex: first } = kept ?? NOTHING;
  const checkpointId = await save(ctx, kept, {
    deferred: undefined,
    ...facts,
    jobId: job._id,
    attempt: job.attempt,
    at: Clock.now(),
    bytes: bytes + added - bytesOf(gone),
    uploadedBytes: (kept?.attempt === job.attempt ? uploadedBytes : 0) + added,
    nextIndex: first + transcript.parts.length,
    offers: 0,
  });
  await insertParts(ctx, { checkpointId, kind: "transcript", first, stored: transcript.parts });
  await insertParts(ctx, { checkpointId, kind: "tree", first: 0, stored: tree ?? [] });
}

const NOTHING = { bytes: 0, uploadedBytes: 0, nextIndex: 0 };

async function save(
  ctx: MutationCtx,
  kept: Doc<"checkpoints"> | null,
  { deferred, ...row }: Saved,
): Promise<Id<"checkpoints">> {
  const standing = deferred === undefined ? {} : { deferred };
  if (kept === null) return ctx.db.insert("checkpoints", { ...row, ...standing });
  await ctx.db.patch("checkpoints", kept._id, { ...row, deferred });
  return kept._id;
}
type Saved = Omit<Doc<"checkpoints">, "_id" | "_creationTime" | "deferred"> & {
  deferred: string | undefined;
};

/**
 * What the job's new attempt may go on from; null where there is nothing, where the reason that ended
 * the attempt before lies in the conversation itself, or where it was tried often enough in vain.
 */
export async function offer(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { isFirstAsk, prompt }: { isFirstAsk: boolean; prompt: string },
): Promise<{ resume: Resume; at: number } | null> {
  const kept = await find(ctx, job._id);
  if (kept === null || kept.attempt >= job.attempt) return null;
  const reason = (await Attempts.lastEnded(ctx, job._id))?.end?.reason;
  if (reason !== undefined && !POLICIES[reason].resumes) return null;
  const offers = kept.offers + (isFirstAsk ? 1 : 0);
  if (isFirstAsk) await ctx.db.patch("checkpoints", kept._id, { offers });
  if (offers > CHECKPOINT_OFFERS_MAX) return null;
  const transcript = await Files.offer(ctx, await parts(ctx, kept._id, "transcript"));
  const tree = await Files.offer(ctx, await parts(ctx, kept._id, "tree"));
  if (transcript === null || tree === null) return null;
  const { attempt, seq, turns, sessionId, cwd, commit } = kept;
  const goOn: GoOn =
    attempt === FOLLOWED
      ? { kind: "message", text: prompt }
      : await goOnWithin(ctx, job._id, kept.deferred);
  const resume = { goOn, attempt, seq, turns, sessionId, cwd, commit, transcript, tree };
  return { resume, at: kept.at - kept.ms };
}

/** How a conversation of the job itself goes on: with the turn it is in, or with the answer it waits for. */
async function goOnWithin(
  ctx: QueryCtx,
  jobId: Id<"jobs">,
  toolUseId: string | undefined,
): Promise<GoOn> {
  if (toolUseId === undefined) return { kind: "turn" };
  const question = await Questions.find(ctx, jobId, toolUseId);
  const { state = "expired", text } = question ?? {};
  const isAllowed = state === "allowed";
  return { kind: "answer", toolUseId, isAllowed, message: answerMessage(state, text) };
}

/** In the place of an attempt: one of the job that was followed up. */
const FOLLOWED = 0;

/** Whether an ended job's session is kept, so that it can be followed up. */
export async function isKept(ctx: QueryCtx, jobId: Id<"jobs">): Promise<boolean> {
  return (await find(ctx, jobId)) !== null;
}

/** Hands an ended job's checkpoint on to the job that follows it up: the session goes on there alone. */
export async function handOn(ctx: MutationCtx, from: Id<"jobs">, to: Id<"jobs">): Promise<void> {
  const kept = await find(ctx, from);
  if (kept === null) throw new Error(`Job ${from} has no checkpoint to hand on`);
  const anew = { attempt: FOLLOWED, offers: 0, uploadedBytes: 0, deferred: undefined };
  await ctx.db.patch("checkpoints", kept._id, { jobId: to, ...anew });
}

/** The origin of jobs that follow this one up, and so have a checkpoint before their first attempt. */
export const followUpOrigin = (jobId: Id<"jobs">) => `${FOLLOW_UP}${jobId}`;
const FOLLOW_UP = "job:";

/** Keeps an ended job's checkpoint for a follow-up, for some days. */
export async function keep(ctx: MutationCtx, job: Doc<"jobs">): Promise<void> {
  const { _id: jobId, attempt, origin } = job;
  if (attempt === 0 && origin?.startsWith(FOLLOW_UP) !== true) return;
  const kept = await find(ctx, jobId);
  if (kept === null) return;
  const { _id: checkpointId } = kept;
  await ctx.scheduler.runAfter(SESSION_KEPT_MS, internal.checkpoints.expire, {
    checkpointId,
    jobId,
  });
}

/** Forgets the checkpoint of a job that has ended long enough ago; one that was handed on stays. */
export async function expire(
  ctx: MutationCtx,
  { checkpointId, jobId }: { checkpointId: Id<"checkpoints">; jobId: Id<"jobs"> },
): Promise<void> {
  const kept = await ctx.db.get("checkpoints", checkpointId);
  const job = await ctx.db.get("jobs", jobId);
  if (kept?.jobId !== jobId || job === null || !("endedAt" in job.state)) return;
  if (job.state.endedAt + SESSION_KEPT_MS <= Clock.now()) await drop(ctx, jobId);
}

/** Forgets a job's checkpoint; its files go in steps. */
export async function drop(ctx: MutationCtx, jobId: Id<"jobs">): Promise<void> {
  const kept = await find(ctx, jobId);
  if (kept === null) return;
  await ctx.db.delete("checkpoints", kept._id);
  await ctx.scheduler.runAfter(0, internal.checkpoints.clear, { checkpointId: kept._id });
}

/** Deletes files of a checkpoint that was dropped. Hands out whether there are more. */
export async function clear(ctx: MutationCtx, checkpointId: Id<"checkpoints">): Promise<boolean> {
  const rows = await ctx.db
    .query("checkpointParts")
    .withIndex("by_checkpoint", (q) => q.eq("checkpointId", checkpointId))
    .take(CHECKPOINT_CLEAR_BATCH);
  await removeParts(ctx, rows);
  return rows.length === CHECKPOINT_CLEAR_BATCH;
}

/** The latest checkpoint as people see it; null before the first and after the job's end. */
export async function view(ctx: QueryCtx, jobId: Id<"jobs">): Promise<CheckpointView | null> {
  const kept = await find(ctx, jobId);
  if (kept === null) return null;
  const { attempt, seq, turns, at, bytes, uploadedBytes, ms } = kept;
  return { attempt, seq, turns, at, bytes, uploadedBytes, ms };
}

async function find(ctx: QueryCtx, jobId: Id<"jobs">): Promise<Doc<"checkpoints"> | null> {
  return ctx.db
    .query("checkpoints")
    .withIndex("by_job", (q) => q.eq("jobId", jobId))
    .unique();
}

async function parts(
  ctx: QueryCtx,
  checkpointId: Id<"checkpoints">,
  kind: "transcript" | "tree",
): Promise<Doc<"checkpointParts">[]> {
  const most = kind === "tree" ? CHECKPOINT_TREE_PARTS_MAX : CHECKPOINT_TRANSCRIPT_PARTS_MAX;
  return ctx.db
    .query("checkpointParts")
    .withIndex("by_checkpoint", (q) => q.eq("checkpointId", checkpointId).eq("kind", kind))
    .take(most);
}

async function insertParts(
  ctx: MutationCtx,
  {
    checkpointId,
    kind,
    first,
    stored,
  }: {
    checkpointId: Id<"checkpoints">;
    kind: "transcript" | "tree";
    first: number;
    stored: readonly StoredPart[];
  },
): Promise<void> {
  for (const [i, part] of stored.entries()) {
    await ctx.db.insert("checkpointParts", { checkpointId, kind, index: first + i, ...part });
  }
}

async function removeParts(
  ctx: MutationCtx,
  rows: readonly Doc<"checkpointParts">[],
): Promise<void> {
  for (const row of rows) {
    await ctx.db.delete("checkpointParts", row._id);
    await Files.remove(ctx, row.storageId);
  }
}
