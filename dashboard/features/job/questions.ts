/** Calls that wait for a person, and the answer to them. */
import { useMutation, useQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";
import type { QuestionView } from "../../../convex/protocol/steering.js";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { useMe } from "../../session/me.js";
import type { AnswerStore } from "../../session/optimistic.js";
import { tellOutcome } from "../../ui/toast.js";

/** Whether the job waits for a person to allow or refuse a call. */
export function isAsking({ state }: JobDetail): boolean {
  return state.kind === "waiting" && state.reason === "answer";
}

/** The question that the job waits for; undefined where it waits for none, and while that is not known. */
export function useQuestion(job: JobDetail): QuestionView | undefined {
  const { jobId } = job;
  const questions = useQuery(api.questions.list, isAsking(job) ? { jobId } : "skip");
  return questions?.find(({ state }) => state === "open");
}

/** Answers: shown at once, told when acknowledged, taken back with the reason when refused. */
export function useAnswer({ questionId, jobId }: QuestionView) {
  const by = `user:${useMe().username}`;
  const answer = useMutation(api.questions.answer).withOptimisticUpdate(foresee(jobId, by));
  return (allow: boolean, text: string): Promise<boolean> =>
    tellOutcome(answer({ questionId, allow, ...(text === "" ? {} : { text }) }), {
      done: allow ? "The call is allowed: the run goes on" : "The call is refused: the run goes on",
      failed: "The answer was not taken",
    });
}

type Given = { questionId: QuestionView["questionId"]; allow: boolean; text?: string };

function foresee(jobId: QuestionView["jobId"], answeredBy: string) {
  return (store: AnswerStore, { questionId, allow, text }: Given): void => {
    const questions = store.getQuery(api.questions.list, { jobId });
    if (questions === undefined) return;
    const state = allow ? ("allowed" as const) : ("refused" as const);
    const said = text === undefined ? {} : { text };
    const settled = { state, answeredAt: Date.now(), answeredBy, ...said };
    store.setQuery(
      api.questions.list,
      { jobId },
      questions.map((one) => (one.questionId === questionId ? { ...one, ...settled } : one)),
    );
  };
}

/** What the tool is called with, to be read by people: a command as it is typed, else each field. Pure. */
export function readInput(input: string): string {
  const fields = parse(input);
  if (fields === null) return input;
  const command = fields["command"];
  if (typeof command === "string") return command;
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("\n");
}

/** Null where it is no object: an input that is too long is cut, and then no JSON. */
function parse(input: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(input);
    // Any object that is no array has string keys; its values stay unknown.
    const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
    return isRecord ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
