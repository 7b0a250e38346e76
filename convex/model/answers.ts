import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import { apply } from "./apply.js";
import * as Jobs from "./jobs.js";
import * as Questions from "./questions.js";

/** A person's answer to a question: its job goes back to the queue and resumes with it, anywhere. */
export async function give(
  ctx: MutationCtx,
  questionId: Id<"questions">,
  answer: { isAllowed: boolean; text: string | undefined; by: string },
): Promise<Doc<"questions">> {
  const question = await Questions.settle(ctx, questionId, answer);
  const job = await Jobs.get(ctx, question.jobId);
  const message = `${question.tool}: ${question.state}`;
  await apply(ctx, job, { event: { kind: "answer", message }, actor: answer.by });
  return question;
}
