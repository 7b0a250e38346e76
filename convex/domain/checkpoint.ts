import type { Checkpoint, StoredPart } from "../protocol/checkpoint.js";
import {
  CHECKPOINT_BYTES_PER_ATTEMPT_MAX,
  CHECKPOINT_CHUNK_BYTES,
  CHECKPOINT_CWD_CHARS_MAX,
  CHECKPOINT_TRANSCRIPT_PARTS_MAX,
  CHECKPOINT_TREE_PARTS_MAX,
} from "../protocol/limits.js";
import { type Checked, passed, refused } from "./checked.js";

/** What is kept of the job: null where nothing is. */
export type Kept = { attempt: number; seq: number; uploadedBytes: number; transcriptParts: number };

/** Checks a checkpoint that an attempt reports against what is kept. */
export function checkCheckpoint(
  given: Checkpoint,
  attempt: number,
  kept: Kept | null,
): Checked<Checkpoint> {
  const problem =
    problemOfFacts(given) ?? problemOfParts(given, kept) ?? problemOfBudget(given, attempt, kept);
  return problem === null ? passed(given) : refused(problem);
}

function problemOfFacts({ seq, turns, commit, sessionId, cwd }: Checkpoint): string | null {
  if (!isCount(seq) || !isCount(turns)) return "seq and turns are whole numbers.";
  if (!/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(commit)) return "commit is no commit.";
  if (!/^[0-9a-f-]{36}$/.test(sessionId)) return "sessionId is no session.";
  const isPath = cwd.startsWith("/") && cwd.length <= CHECKPOINT_CWD_CHARS_MAX;
  return isPath ? null : "cwd is no absolute path.";
}

function problemOfParts({ transcript, tree }: Checkpoint, kept: Kept | null): string | null {
  if (kept === null && (tree === null || transcript.mode !== "replace")) {
    return "A first checkpoint brings its whole transcript and its tree.";
  }
  const before = transcript.mode === "append" ? (kept?.transcriptParts ?? 0) : 0;
  if (before + transcript.parts.length > CHECKPOINT_TRANSCRIPT_PARTS_MAX) {
    return `A transcript has at most ${CHECKPOINT_TRANSCRIPT_PARTS_MAX} parts.`;
  }
  if (tree !== null && tree.length > CHECKPOINT_TREE_PARTS_MAX) {
    return `A tree has at most ${CHECKPOINT_TREE_PARTS_MAX} parts.`;
  }
  return null;
}

function problemOfBudget(
  { transcript, tree }: Checkpoint,
  attempt: number,
  kept: Kept | null,
): string | null {
  const parts = [...transcript.parts, ...(tree ?? [])];
  if (parts.some(({ bytes }) => !isCount(bytes) || bytes > CHECKPOINT_CHUNK_BYTES)) {
    return `A part has at most ${CHECKPOINT_CHUNK_BYTES} bytes.`;
  }
  const uploaded = kept?.attempt === attempt ? kept.uploadedBytes : 0;
  if (uploaded + bytesOf(parts) <= CHECKPOINT_BYTES_PER_ATTEMPT_MAX) return null;
  return `An attempt uploads at most ${CHECKPOINT_BYTES_PER_ATTEMPT_MAX} bytes of checkpoints.`;
}

export function bytesOf(parts: readonly Pick<StoredPart, "bytes">[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
