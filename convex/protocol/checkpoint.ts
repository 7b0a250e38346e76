import { type Infer, v } from "convex/values";

/** An uploaded file as its uploader describes it; the backend compares that with what it stored. */
export const storedPart = v.object({
  storageId: v.id("_storage"),
  /** Lower-case hex. */
  sha256: v.string(),
  bytes: v.number(),
});
export type StoredPart = Infer<typeof storedPart>;

/** A part as it is handed out for a restore; the URL is good for whoever knows it. */
export const offeredPart = v.object({ url: v.string(), sha256: v.string(), bytes: v.number() });
export type OfferedPart = Infer<typeof offeredPart>;

/**
 * A running attempt's word on how far it has come. The tree was read after the last transcript entry
 * of it was written: a tree ahead of its transcript only repeats work, the reverse loses some.
 */
export const checkpoint = v.object({
  /** Grows with each checkpoint of the attempt. */
  seq: v.number(),
  /** The CLI's session that the transcript is of. */
  sessionId: v.string(),
  /** The folder the CLI ran in, as the transcript names it. */
  cwd: v.string(),
  /** The commit that the tree is compared with. */
  commit: v.string(),
  /** Results of tools in the transcript. */
  turns: v.number(),
  /** `append` adds to the transcript that is kept; `replace` stands in for all of it. */
  transcript: v.object({
    mode: v.union(v.literal("append"), v.literal("replace")),
    parts: v.array(storedPart),
  }),
  /** All of the tree's differences; null: they are those of the checkpoint before. */
  tree: v.union(v.null(), v.array(storedPart)),
  /** How long it took to make and to upload. */
  ms: v.number(),
  /** The conversation stands at this call of a tool, which waits for a person. */
  deferred: v.optional(v.string()),
});
export type Checkpoint = Infer<typeof checkpoint>;

/** How a conversation goes on that was put back. */
export const goOn = v.union(
  /** It was cut off in a turn, which goes on by itself. */
  v.object({ kind: v.literal("turn") }),
  /** It had ended: a person says more. */
  v.object({ kind: v.literal("message"), text: v.string() }),
  /** It stands at a call of a tool; this is the person's word on it, or the deadline's. */
  v.object({
    kind: v.literal("answer"),
    toolUseId: v.string(),
    isAllowed: v.boolean(),
    message: v.string(),
  }),
);
export type GoOn = Infer<typeof goOn>;

/** What a new attempt goes on from. */
export const resume = v.object({
  goOn,
  /** The attempt that made it, and its number there. */
  attempt: v.number(),
  seq: v.number(),
  turns: v.number(),
  sessionId: v.string(),
  cwd: v.string(),
  commit: v.string(),
  transcript: v.array(offeredPart),
  tree: v.array(offeredPart),
});
export type Resume = Infer<typeof resume>;

/** What became of an offered checkpoint. */
export const resumption = v.object({
  /** The attempt that made the checkpoint, and its number there. */
  from: v.number(),
  seq: v.number(),
  /** False: it could not be used, and the attempt started over. */
  resumed: v.boolean(),
  turns: v.number(),
  ms: v.number(),
  /** Why it could not be used. */
  why: v.optional(v.string()),
});
export type Resumption = Infer<typeof resumption>;

/** The latest checkpoint of a job as people see it. */
export const checkpointView = v.object({
  attempt: v.number(),
  seq: v.number(),
  turns: v.number(),
  at: v.number(),
  /** Kept now, transcript and tree. */
  bytes: v.number(),
  /** Uploaded by the attempt in all, and how long its latest checkpoint took. */
  uploadedBytes: v.number(),
  ms: v.number(),
});
export type CheckpointView = Infer<typeof checkpointView>;
