import { v } from "convex/values";
import { internalMutation } from "./_generated/server.js";
import { userMutation, userQuery } from "./lib/functions.js";
import * as Answers from "./model/answers.js";
import * as Audit from "./model/audit.js";
import * as Jobs from "./model/jobs.js";
import * as Questions from "./model/questions.js";
import * as RateLimits from "./model/rateLimits.js";
import { questionView } from "./protocol/steering.js";

const answerArgs = {
  questionId: v.id("questions"),
  allow: v.boolean(),
  /** For the run: why not, or what to mind. */
  text: v.optional(v.string()),
};

/** What a job's runs asked, oldest first. */
export const list = userQuery("viewer")({
  args: { jobId: v.string() },
  returns: v.array(questionView),
  handler: async (ctx, { jobId }) => Questions.list(ctx, (await Jobs.getByText(ctx, jobId))._id),
});

/** Open questions of all jobs, the most urgent first; at most 100. */
export const open = userQuery("viewer")({
  args: {},
  returns: v.array(questionView),
  handler: async (ctx) => Questions.listOpen(ctx),
});

/** Allows or refuses a call that waits; the run goes on with the answer, on any executor. */
export const answer = userMutation("operator")({
  args: answerArgs,
  returns: v.null(),
  handler: async (ctx, { questionId, allow, text }) => {
    await RateLimits.demand(ctx, "commandsOfAccount", { key: ctx.user._id });
    const by = `user:${ctx.user.username}`;
    const question = await Answers.give(ctx, questionId, { isAllowed: allow, text, by });
    const { jobId: target, tool } = question;
    const action = allow ? "question.allowed" : "question.refused";
    await Audit.write(ctx, { action, actor: ctx.actor, target, detail: tool });
    return null;
  },
});

/** The same for `npx convex run`. */
export const settle = internalMutation({
  args: answerArgs,
  returns: v.null(),
  handler: async (ctx, { questionId, allow, text }) => {
    const by = "operator";
    const question = await Answers.give(ctx, questionId, { isAllowed: allow, text, by });
    const { jobId: target, tool } = question;
    const action = allow ? "question.allowed" : "question.refused";
    await Audit.write(ctx, { action, actor: by, target, detail: tool });
    return null;
  },
});
