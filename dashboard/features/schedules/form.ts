/** What is typed into the form of a schedule, and what it means. Pure. */
import type { Cadence, CatchUp, SubmissionFields } from "../../../convex/protocol/queue.js";
import { plural } from "../../lib/format.js";
import type { Schedule } from "./schedules.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** As it stands in the fields: all of it text, until it is read. */
export type Form = {
  name: string;
  repository: string;
  ref: string;
  prompt: string;
  kind: Cadence["kind"];
  expression: string;
  timeZone: string;
  minutes: string;
  catchUp: CatchUp;
};

/** Patterns to begin with. */
export const CRON_EXAMPLES = [
  ["0 3 * * *", "every night at 3"],
  ["0 9 * * 1-5", "workdays at 9"],
  ["0 * * * *", "every hour"],
  ["0 6 * * 1", "Mondays at 6"],
] as const;

/** An empty form, or that of a schedule. */
export function formOf(schedule: Schedule | null): Form {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const empty: Form = {
    ...{ name: "", repository: "", ref: "", prompt: "", kind: "cron" },
    ...{ expression: "0 3 * * *", timeZone: zone, minutes: "60", catchUp: "skip" },
  };
  if (schedule === null) return empty;
  const { name, cadence, catchUp, submission } = schedule;
  const { repository, ref = "", prompt } = submission;
  const base = { ...empty, name, repository, ref, prompt, catchUp };
  return cadence.kind === "cron"
    ? { ...base, ...cadence }
    : { ...base, kind: "interval", minutes: String(cadence.everyMs / MINUTE_MS) };
}

/** When it is to fire. An interval keeps the time it counts from, or counts from `now`. */
export function cadenceOf(form: Form, schedule: Schedule | null, now: number): Cadence {
  if (form.kind === "cron") {
    const { expression, timeZone } = form;
    return { kind: "cron", expression: expression.trim(), timeZone: timeZone.trim() };
  }
  const before = schedule?.cadence;
  const anchorAt = before?.kind === "interval" ? before.anchorAt : now;
  const everyMs = Math.round(Number(form.minutes) * MINUTE_MS);
  return { kind: "interval", everyMs: Number.isFinite(everyMs) ? everyMs : 0, anchorAt };
}

/** What it is to submit; what the form does not show of it stays. */
export function submissionOf(form: Form, schedule: Schedule | null): SubmissionFields {
  const typed = { repository: form.repository.trim(), prompt: form.prompt };
  const submission: SubmissionFields = { ...schedule?.submission, ...typed };
  const ref = form.ref.trim();
  if (ref !== "") return { ...submission, ref };
  delete submission.ref;
  return submission;
}

export type Problems = Partial<Record<keyof Form, string>>;

/** What is missing, by field; the rest is the backend's to judge. */
export function problemsOf({ name, repository, prompt }: Form): Problems {
  return {
    ...(name.trim() === "" ? { name: "Give it a name." } : {}),
    ...(repository.trim() === "" ? { repository: "Name a repository." } : {}),
    ...(prompt.trim() === "" ? { prompt: "Say what is to be done." } : {}),
  };
}

/** A cadence in words: "0 3 * * * (Europe/Berlin)", "every 2 hours". */
export function describeCadence(cadence: Cadence): string {
  if (cadence.kind === "cron") {
    const known = CRON_EXAMPLES.find(([expression]) => expression === cadence.expression)?.[1];
    return `${known ?? cadence.expression} (${cadence.timeZone})`;
  }
  const { everyMs } = cadence;
  if (everyMs % DAY_MS === 0) return `every ${plural(everyMs / DAY_MS, "day")}`;
  if (everyMs % HOUR_MS === 0) return `every ${plural(everyMs / HOUR_MS, "hour")}`;
  return `every ${plural(everyMs / MINUTE_MS, "minute")}`;
}
