/** What is typed into the form, and the submission that it means. Pure. */
import type { JobLimits } from "../../../convex/protocol/job.js";
import {
  ATTEMPTS_DEFAULT,
  ATTEMPTS_MAX,
  MAX_BUDGET_USD_MAX,
  MAX_TURNS_MAX,
  PRIORITY_DEFAULT,
  TIMEOUT_MS_DEFAULT,
  TIMEOUT_MS_MAX,
} from "../../../convex/protocol/limits.js";
import type { JobView } from "../../../convex/protocol/view.js";
import { typedRepository } from "../../lib/format.js";

const MINUTE_MS = 60_000;
/** What a run may cost unless somebody says otherwise. */
const BUDGET_USD = "5";

/** As it stands in the fields: all of it text, until it is read. */
export type Form = {
  repository: string;
  ref: string;
  prompt: string;
  /** Name of the template in use; empty: the prompt is typed. */
  template: string;
  parameters: Readonly<Record<string, string>>;
  model: string;
  budget: string;
  turns: string;
  minutes: string;
  attempts: string;
  priority: string;
  labels: string;
  /** Calls of tools that wait for a person, with commas between. */
  ask: string;
  runAt: string;
  hold: boolean;
  beside: boolean;
};

export const EMPTY: Form = {
  repository: "",
  ref: "",
  prompt: "",
  template: "",
  parameters: {},
  model: "",
  budget: BUDGET_USD,
  turns: "",
  minutes: String(TIMEOUT_MS_DEFAULT / MINUTE_MS),
  attempts: String(ATTEMPTS_DEFAULT),
  priority: String(PRIORITY_DEFAULT),
  labels: "",
  ask: "",
  runAt: "",
  hold: false,
  beside: false,
};

/** A form that asks for the same as a job did. */
export function formOf(job: JobView, prompt: string): Form {
  const { repository, ref, limits, approval } = job.spec;
  const text = (n: number | undefined): string => (n === undefined ? "" : String(n));
  return {
    ...EMPTY,
    repository: typedRepository(repository),
    ref: ref === "HEAD" ? "" : ref,
    prompt,
    model: limits.model ?? "",
    budget: text(limits.maxBudgetUsd),
    turns: text(limits.maxTurns),
    minutes: text((limits.timeoutMs ?? TIMEOUT_MS_DEFAULT) / MINUTE_MS),
    attempts: text(limits.attemptsMax ?? ATTEMPTS_DEFAULT),
    priority: String(job.priority),
    labels: job.labels.join(" "),
    ask: (approval?.tools ?? []).join(", "),
  };
}

export type Problems = Partial<Record<keyof Form, string>>;

/** The arguments of `jobs:submit` without what is left to its defaults. */
export type Submission = {
  repository: string;
  ref?: string;
  prompt?: string;
  template?: { name: string; parameters: Record<string, string> };
  limits: JobLimits;
  priority: number;
  labels?: string[];
  approval?: { tools: string[] };
  runAt?: number;
  hold?: boolean;
  concurrencyKey?: null;
};

/** Reads the form: the submission, or what is wrong with which field. */
export function readForm(
  form: Form,
): { ok: true; submission: Submission } | { ok: false; problems: Problems } {
  const problems = problemsOf(form);
  if (Object.keys(problems).length > 0) return { ok: false, problems };
  const { repository, ref, prompt, template, parameters, labels, runAt, hold, beside } = form;
  const words = labels.split(/[\s,]+/).filter((label) => label !== "");
  const tools = toolsOf(form.ask);
  return {
    ok: true,
    submission: {
      repository: repository.trim(),
      ...(ref.trim() === "" ? {} : { ref: ref.trim() }),
      ...(template === "" ? { prompt } : { template: { name: template, parameters } }),
      limits: limitsOf(form),
      priority: Number(form.priority),
      ...(words.length === 0 ? {} : { labels: words }),
      ...(tools.length === 0 ? {} : { approval: { tools } }),
      ...(runAt === "" ? {} : { runAt: new Date(runAt).getTime() }),
      ...(hold ? { hold } : {}),
      ...(beside ? { concurrencyKey: null } : {}),
    },
  };
}

/** `Write, Bash(git push*)`: a comma within brackets is part of what the call looks like. */
function toolsOf(ask: string): string[] {
  const tools = ask.split(/,(?![^(]*\))/).map((tool) => tool.trim());
  return tools.filter((tool) => tool !== "");
}

function limitsOf({ model, budget, turns, minutes, attempts }: Form): JobLimits {
  return {
    ...(model.trim() === "" ? {} : { model: model.trim() }),
    ...(budget === "" ? {} : { maxBudgetUsd: Number(budget) }),
    ...(turns === "" ? {} : { maxTurns: Number(turns) }),
    ...(minutes === "" ? {} : { timeoutMs: Number(minutes) * MINUTE_MS }),
    ...(attempts === "" ? {} : { attemptsMax: Number(attempts) }),
  };
}

function problemsOf(form: Form): Problems {
  const found: [keyof Form, string | undefined][] = [
    ["repository", form.repository.trim() === "" ? "Name a repository." : undefined],
    [
      "prompt",
      form.template === "" && form.prompt.trim() === "" ? "Say what is to be done." : undefined,
    ],
    ["turns", whole(form.turns, 1, MAX_TURNS_MAX)],
    ["minutes", whole(form.minutes, 1, TIMEOUT_MS_MAX / MINUTE_MS)],
    ["attempts", whole(form.attempts, 1, ATTEMPTS_MAX)],
    ["budget", money(form.budget)],
    [
      "runAt",
      form.runAt !== "" && Number.isNaN(Date.parse(form.runAt)) ? "That is no time." : undefined,
    ],
  ];
  return Object.fromEntries(found.filter(([, problem]) => problem !== undefined));
}

function whole(text: string, min: number, max: number): string | undefined {
  if (text === "") return undefined;
  const n = Number(text);
  return Number.isInteger(n) && n >= min && n <= max
    ? undefined
    : `A whole number from ${min} to ${max}.`;
}

function money(text: string): string | undefined {
  if (text === "") return undefined;
  const usd = Number(text);
  return usd > 0 && usd <= MAX_BUDGET_USD_MAX
    ? undefined
    : `Dollars, above 0 and at most ${MAX_BUDGET_USD_MAX}.`;
}

/** What all attempts together may cost at most, dollars; null when nothing limits it. */
export function worstCase({ budget, attempts }: Form): number | null {
  return budget === "" ? null : Number(budget) * Math.max(1, Number(attempts));
}

/** A template's text with the parameters that are filled in. */
export function renderTemplate(text: string, parameters: Form["parameters"]): string {
  return text.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) => {
    const value = parameters[name];
    return value === undefined || value === "" ? whole : value;
  });
}
