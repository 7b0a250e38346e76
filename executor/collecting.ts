import type { Work } from "../convex/protocol/executor.js";
import { isStale } from "./attemptEnding.js";
import { type AttemptContext, baselineOf, gitTools } from "./attemptSource.js";
import { type ArtifactKeeper, createArtifactKeeper } from "./artifacts.js";
import { collectChanges, wholePatch } from "./changes.js";
import type { Workspace } from "./workspace.js";

/** Git's part of it. */
const CHANGES_MS_MAX = 90_000;
const ARTIFACTS_MS_MAX = 5 * 60_000;
const PATCH_NAME = "changes.patch";

/**
 * Tells what the run changed and keeps what it left behind. A run is worth its result also when that
 * fails: it is said in the log, and the outcome stays. Never rejects.
 */
export async function collect(
  context: AttemptContext,
  workspace: Workspace,
  patterns: Work["artifacts"] = [],
): Promise<void> {
  const { deps, held, report, mark } = context;
  const limit = AbortSignal.timeout(ARTIFACTS_MS_MAX);
  const keeper = createArtifactKeeper({
    ...{ ...deps, held, mark },
    signal: AbortSignal.any([context.signal, limit]),
  });
  const part = async (what: string, work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => {
      context.heed(error, "collectFailed");
      if (!isStale(error)) mark(`${what} could not be collected`);
    });
  await part("the changes", changesOf(context, workspace, keeper));
  await part("the artifacts", keeper.files(workspace.repo, patterns));
  const kept = keeper.report();
  if (kept.kept + kept.leftOut > 0) report.artifacts = kept;
  if (kept.kept > 0) mark(`kept ${counted(kept.kept, "artifact")}, ${kept.bytes} bytes`);
}

async function changesOf(
  context: AttemptContext,
  workspace: Workspace,
  keeper: ArtifactKeeper,
): Promise<void> {
  const { deps, report, mark } = context;
  const { commit } = report;
  if (commit === undefined) return;
  const tools = gitTools(context, workspace, CHANGES_MS_MAX);
  const baseline = baselineOf(workspace, commit);
  const changes = await collectChanges(baseline, tools);
  const redact = (text: string): string => deps.redactor.text(text);
  const byFile = changes.byFile?.map((file) => ({ ...file, path: redact(file.path) })) ?? [];
  report.changes = { ...changes, byFile, patch: redact(changes.patch) };
  const { files, insertions, deletions } = changes;
  mark(`changed ${counted(files, "file")}, +${insertions} -${deletions}`);
  if (files === 0) return;
  await keeper.patch(PATCH_NAME, await wholePatch(baseline, tools, { changes, redact }));
}

const counted = (count: number, what: string): string =>
  `${count} ${count === 1 ? what : `${what}s`}`;
