import { defineTable } from "convex/server";
import { v } from "convex/values";
import { artifactKind } from "../protocol/artifact.js";

/** What is kept in file storage, and for whom. Part of convex/schema.ts. */
export const fileTables = {
  /**
   * How far a job has come, at most one row a job. Written by model/checkpoints with each checkpoint of
   * the running attempt, apart from the job: nobody's list re-runs. A follow-up takes it over; else it is
   * deleted some days after the job's end.
   */
  checkpoints: defineTable({
    jobId: v.id("jobs"),
    /** Attempt that made the latest one, and its number there; 0: an attempt of the job followed up. */
    attempt: v.number(),
    seq: v.number(),
    sessionId: v.string(),
    cwd: v.string(),
    commit: v.string(),
    turns: v.number(),
    at: v.number(),
    bytes: v.number(),
    uploadedBytes: v.number(),
    ms: v.number(),
    /** Parts of the transcript are numbered on from this. */
    nextIndex: v.number(),
    /** Attempts it was offered to. */
    offers: v.number(),
    /** The call of a tool that the conversation stands at. */
    deferred: v.optional(v.string()),
  }).index("by_job", ["jobId"]),

  /** The files of a checkpoint. Written by model/checkpoints; superseded ones are deleted with their file. */
  checkpointParts: defineTable({
    checkpointId: v.id("checkpoints"),
    kind: v.union(v.literal("transcript"), v.literal("tree")),
    index: v.number(),
    storageId: v.id("_storage"),
    sha256: v.string(),
    bytes: v.number(),
  })
    .index("by_checkpoint", ["checkpointId", "kind", "index"])
    .index("by_storage", ["storageId"]),

  /** What runs left behind for people. Written by model/artifacts. Deleted with their job. */
  artifacts: defineTable({
    jobId: v.id("jobs"),
    attempt: v.number(),
    name: v.string(),
    kind: artifactKind,
    storageId: v.id("_storage"),
    sha256: v.string(),
    bytes: v.number(),
  })
    .index("by_job", ["jobId", "attempt", "name"])
    .index("by_storage", ["storageId"]),

  /** How far the sweep of files that nothing refers to has come, one row. Written by model/files. */
  fileSweep: defineTable({ cursor: v.number() }),
};
