import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import { isTerminal } from "../domain/lifecycle.js";
import { labelsOf } from "../domain/labels.js";
import { checkPrompt } from "../domain/submission.js";
import { accept, fail } from "../lib/errors.js";
import * as Checkpoints from "./checkpoints.js";
import * as Intake from "./intake.js";

/**
 * Goes on with an ended job's session in a new job: the same repository, commit, limits and labels, the
 * tree as the job left it, and the text as the next thing said. A session goes on in one place alone:
 * its checkpoint is handed on, and who wants to say more follows up the newest job of the line.
 */
export async function follow(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { text, by }: { text: string; by: string },
): Promise<Id<"jobs">> {
  if (!isTerminal(job.state.kind)) {
    throw fail(
      "ILLEGAL_TRANSITION",
      `Job ${job._id} is ${job.state.kind}: send it a message instead.`,
    );
  }
  if (!(await Checkpoints.isKept(ctx, job._id))) {
    throw fail(
      "ILLEGAL_TRANSITION",
      `Nothing of the session of job ${job._id} is kept: it never began, was followed up before, or ended too long ago. Submit a new job.`,
    );
  }
  const { spec, priority, concurrencyKey, commit, lane } = job;
  const { jobId } = await Intake.put(ctx, {
    ...{ spec, priority, concurrencyKey, commit, submittedBy: by },
    prompt: accept(checkPrompt(text)),
    labels: labelsOf(lane),
    runAt: undefined,
    hold: false,
    after: [],
    onDependencyFailure: "cancel",
    idempotency: undefined,
    origin: Checkpoints.followUpOrigin(job._id),
  });
  await Checkpoints.handOn(ctx, job._id, jobId);
  return jobId;
}
