import { type Infer, v } from "convex/values";
import { storedPart } from "./checkpoint.js";

/** `file`: matched a pattern of the job. `patch`: all that the run changed, if it changed anything. */
export const artifactKind = v.union(v.literal("file"), v.literal("patch"));

/** An artifact as its executor announces it. */
export const artifact = v.object({
  /** Path in the tree, with slashes; of the patch its file name. */
  name: v.string(),
  kind: artifactKind,
  ...storedPart.fields,
});
export type Artifact = Infer<typeof artifact>;

/** An artifact as people see it. */
export const artifactView = v.object({
  artifactId: v.id("artifacts"),
  attempt: v.number(),
  name: v.string(),
  kind: artifactKind,
  sha256: v.string(),
  bytes: v.number(),
  at: v.number(),
});
export type ArtifactView = Infer<typeof artifactView>;
