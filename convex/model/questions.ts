import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { checkText, clipCall, questionDeadline, withoutSecrets } from "../domain/steering.js";
import * as Clock from "../lib/clock.js";
import { accept, fail } from "../lib/errors.js";
import { QUESTIONS_PER_JOB_MAX, QUESTIONS_SHOWN_MAX } from "../protocol/limits.js";
import type { AskedCall, QuestionView } from "../protocol/steering.js";

/**
 * Calls of tools that wait for a person. What must hold: a job waits for an answer exactly as long as
 * one question of it is open; the question's deadline is the job's.
 */
type Row = Doc<"questions">;

/** Whether a job's runs may ask once more; after that, such calls are refused at once. */
export function mayAsk({ asked = 0 }: Pick<Doc<"jobs">, "asked">): boolean {
  return asked < QUESTIONS_PER_JOB_MAX;
}

/** Writes a question of the attempt that ends with it. Hands out its deadline. */
export async function open(ctx: MutationCtx, job: Doc<"jobs">, call: AskedCall): Promise<number> {
  const askedAt = Clock.now();
  const deadlineAt = questionDeadline(askedAt, job.spec.approval);
  await ctx.db.insert("questions", {
    ...{ jobId: job._id, attempt: job.attempt, ...clipCall(call) },
    ...{ askedAt, deadlineAt, state: "open" },
  });
  return deadlineAt;
}

/** Settles an open question with a person's answer; throws where it was settled before. */
export async function settle(
  ctx: MutationCtx,
  questionId: Id<"questions">,
  { isAllowed, text, by }: { isAllowed: boolean; text: string | undefined; by: string },
): Promise<Row> {
  const row = await ctx.db.get("questions", questionId);
  if (row === null) throw fail("NOT_FOUND", `There is no question ${questionId}.`);
  if (row.state !== "open") {
    throw fail("ILLEGAL_TRANSITION", `The question was settled before: ${row.state}.`);
  }
  const said = text === undefined ? {} : { text: accept(checkText(text)) };
  const state = isAllowed ? "allowed" : "refused";
  const settled = { state, answeredAt: Clock.now(), answeredBy: by, ...said } as const;
  await ctx.db.patch("questions", questionId, settled);
  return { ...row, ...settled };
}

/** A job's question, if it has an open one, comes to its end without an answer. */
export async function close(
  ctx: MutationCtx,
  jobId: Id<"jobs">,
  state: "expired" | "withdrawn",
): Promise<void> {
  const row = await openOf(ctx, jobId);
  if (row === null) return;
  await ctx.db.patch("questions", row._id, { state, answeredAt: Clock.now() });
}

/** The answer to the call that a conversation stands at; null when that was never asked. */
export async function find(
  ctx: QueryCtx,
  jobId: Id<"jobs">,
  toolUseId: string,
): Promise<Row | null> {
  return ctx.db
    .query("questions")
    .withIndex("by_job", (q) => q.eq("jobId", jobId).eq("toolUseId", toolUseId))
    .order("desc")
    .first();
}

/** A job's open question; null when it has none. */
export async function openOf(ctx: QueryCtx, jobId: Id<"jobs">): Promise<Row | null> {
  return (await rows(ctx, jobId)).find(({ state }) => state === "open") ?? null;
}

/** How many questions of a job are open, and how much text it took to know. */
export async function weigh(
  ctx: QueryCtx,
  job: Doc<"jobs">,
): Promise<{ open: number; chars: number }> {
  const all = job.asked === undefined ? [] : await rows(ctx, job._id);
  const chars = all.reduce((sum, { input, text }) => sum + input.length + (text?.length ?? 0), 0);
  return { open: all.filter(({ state }) => state === "open").length, chars };
}

/** A job's questions, oldest first. */
export async function list(ctx: QueryCtx, jobId: Id<"jobs">): Promise<QuestionView[]> {
  return (await rows(ctx, jobId)).sort((a, b) => a.askedAt - b.askedAt).map(view);
}

/** Open questions of all jobs, the most urgent first. */
export async function listOpen(ctx: QueryCtx): Promise<QuestionView[]> {
  const found = await ctx.db
    .query("questions")
    .withIndex("by_state", (q) => q.eq("state", "open"))
    .take(QUESTIONS_SHOWN_MAX);
  return found.map(view);
}

/** Deletes a job's questions. Hands out how many. */
export async function remove(ctx: MutationCtx, job: Doc<"jobs">): Promise<number> {
  if (job.asked === undefined) return 0;
  const all = await rows(ctx, job._id);
  for (const row of all) await ctx.db.delete("questions", row._id);
  return all.length;
}

async function rows(ctx: QueryCtx, jobId: Id<"jobs">): Promise<Row[]> {
  return ctx.db
    .query("questions")
    .withIndex("by_job", (q) => q.eq("jobId", jobId))
    .take(QUESTIONS_PER_JOB_MAX);
}

function view(row: Row): QuestionView {
  const { _id: questionId, jobId, attempt, tool, input, askedAt, deadlineAt, state } = row;
  const { answeredAt, answeredBy, text } = row;
  return {
    ...{ questionId, jobId, attempt, tool, askedAt, deadlineAt, state },
    input: withoutSecrets(input),
    ...(answeredAt === undefined ? {} : { answeredAt }),
    ...(answeredBy === undefined ? {} : { answeredBy }),
    ...(text === undefined ? {} : { text: withoutSecrets(text) }),
  };
}
