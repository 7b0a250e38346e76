import type { Artifact } from "../protocol/artifact.js";
import {
  ARTIFACT_BYTES_MAX,
  ARTIFACT_NAME_CHARS_MAX,
  ARTIFACT_PATTERN_CHARS_MAX,
  ARTIFACT_PATTERNS_MAX,
  ARTIFACTS_BYTES_MAX,
  ARTIFACTS_MAX,
} from "../protocol/limits.js";
import { type Checked, passed, quote, refused } from "./checked.js";

/** Checks an artifact that an attempt announces against those it has. */
export function checkArtifact(
  given: Artifact,
  kept: readonly Pick<Artifact, "name" | "kind" | "bytes">[],
): Checked<Artifact> {
  const { name, bytes } = given;
  if (!isTreePath(name, ARTIFACT_NAME_CHARS_MAX)) {
    return refused(`The artifact's name ${quote(name)} is no path in a tree.`);
  }
  if (kept.some((one) => one.name === name && one.kind === given.kind)) {
    return refused(`The attempt has an artifact ${quote(name)} with another content.`);
  }
  if (kept.length >= ARTIFACTS_MAX) return refused(`An attempt has ${ARTIFACTS_MAX} at most.`);
  if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > ARTIFACT_BYTES_MAX) {
    return refused(`An artifact has at most ${ARTIFACT_BYTES_MAX} bytes.`);
  }
  const all = kept.reduce((sum, one) => sum + one.bytes, bytes);
  if (all > ARTIFACTS_BYTES_MAX) {
    return refused(`The artifacts of an attempt have at most ${ARTIFACTS_BYTES_MAX} bytes.`);
  }
  return passed(given);
}

/** Checks the patterns of files that a job wants kept: paths in the tree with `*`, `?` and `**`. */
export function checkPatterns(patterns: readonly string[]): Checked<string[]> {
  if (patterns.length > ARTIFACT_PATTERNS_MAX) {
    return refused(
      `There are ${patterns.length} artifact patterns; at most ${ARTIFACT_PATTERNS_MAX}.`,
    );
  }
  const bad = patterns.find((pattern) => !isTreePath(pattern, ARTIFACT_PATTERN_CHARS_MAX));
  if (bad !== undefined) {
    return refused(
      `The artifact pattern ${quote(bad)} is no path in the tree: relative, without "..", ".git", or a backslash, at most ${ARTIFACT_PATTERN_CHARS_MAX} characters.`,
    );
  }
  return passed([...new Set(patterns)]);
}

function isTreePath(path: string, charsMax: number): boolean {
  if (path === "" || path.length > charsMax || /[\0-\x1f\x7f\\]/.test(path)) return false;
  return path.split("/").every((part) => part !== "" && !/^(?:\.\.?|\.git)$/i.test(part));
}
