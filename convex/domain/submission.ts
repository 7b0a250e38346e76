import type { JobLimits, JobSpec } from "../protocol/job.js";
import {
  ATTEMPTS_MAX,
  CONCURRENCY_KEY_CHARS_MAX,
  IDEMPOTENCY_KEY_CHARS_MAX,
  IDEMPOTENCY_WINDOW_MS_DEFAULT,
  IDEMPOTENCY_WINDOW_MS_MAX,
  MAX_BUDGET_USD_MAX,
  MAX_TURNS_MAX,
  MODEL_CHARS_MAX,
  OUTPUT_SCHEMA_CHARS_MAX,
  PRIORITY_DEFAULT,
  PRIORITY_MAX,
  PROMPT_CHARS_MAX,
  RUN_AT_MS_MAX,
  TIMEOUT_MS_MAX,
  TIMEOUT_MS_MIN,
  TITLE_CHARS_MAX,
} from "../protocol/limits.js";
import { type Checked, passed, quote, refused } from "./checked.js";
import { isCommit, nameOf } from "./repository.js";

/** Checks a prompt: some text, within the bound. */
export function checkPrompt(prompt: string): Checked<string> {
  if (prompt.trim() === "") return refused("The prompt is empty. Say what is to be done.");
  if (prompt.length > PROMPT_CHARS_MAX) {
    return refused(
      `The prompt has ${prompt.length} characters; at most ${PROMPT_CHARS_MAX} are allowed. ` +
        "Put long material into the repository and name the file.",
    );
  }
  if (prompt.includes("\0")) return refused("The prompt has a NUL character; remove it.");
  return passed(prompt);
}

/** What lists show for a prompt: its first line that says something, cut with a mark. */
export function titleOf(prompt: string): string {
  const line = /\S.*/.exec(prompt)?.[0].trimEnd() ?? "";
  return line.length <= TITLE_CHARS_MAX ? line : `${line.slice(0, TITLE_CHARS_MAX - 1)}…`;
}

/** Checks the bounds a person set on a job. */
export function checkLimits(limits: JobLimits): Checked<JobLimits> {
  const problems = [
    wholeNumber("maxTurns", limits.maxTurns, [1, MAX_TURNS_MAX]),
    wholeNumber("timeoutMs", limits.timeoutMs, [TIMEOUT_MS_MIN, TIMEOUT_MS_MAX]),
    wholeNumber("attemptsMax", limits.attemptsMax, [1, ATTEMPTS_MAX]),
    budget(limits.maxBudgetUsd),
    model(limits.model),
  ].filter((problem) => problem !== null);
  return problems[0] === undefined ? passed(limits) : refused(problems[0]);
}

/** Checks what a run must hand out: a JSON Schema, which is an object, as text. */
export function checkOutputSchema(schema: string | undefined): Checked<string | undefined> {
  if (schema === undefined) return passed(undefined);
  if (schema.length > OUTPUT_SCHEMA_CHARS_MAX) {
    return refused(
      `outputSchema has ${schema.length} characters; at most ${OUTPUT_SCHEMA_CHARS_MAX} are allowed.`,
    );
  }
  if (isObject(schema)) return passed(schema);
  return refused("outputSchema is not the JSON of an object; give a JSON Schema as text.");
}

function isObject(json: string): boolean {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Checks a priority: 0, the most urgent, to PRIORITY_MAX. */
export function checkPriority(priority: number | undefined): Checked<number> {
  const problem = wholeNumber("priority", priority, [0, PRIORITY_MAX]);
  return problem === null ? passed(priority ?? PRIORITY_DEFAULT) : refused(problem);
}

/** Checks an idempotency key: printable, within the bound. */
export function checkIdempotencyKey(key: string | undefined): Checked<string | undefined> {
  if (key === undefined) return passed(undefined);
  if (key === "" || key.length > IDEMPOTENCY_KEY_CHARS_MAX) {
    return refused(
      `The idempotency key has ${key.length} characters; 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} are allowed.`,
    );
  }
  return passed(key);
}

/** Checks how long an idempotency key finds the same job. */
export function checkWindow(windowMs: number | undefined): Checked<number> {
  const problem = wholeNumber("idempotencyWindowMs", windowMs, [1, IDEMPOTENCY_WINDOW_MS_MAX]);
  return problem === null ? passed(windowMs ?? IDEMPOTENCY_WINDOW_MS_DEFAULT) : refused(problem);
}

/** Checks a time before which a job must not run; one that has passed is as good as none. */
export function checkRunAt(runAt: number | undefined, now: number): Checked<number | undefined> {
  const problem = wholeNumber("runAt", runAt, [0, now + RUN_AT_MS_MAX]);
  return problem === null ? passed(runAt) : refused(problem);
}

/** Checks a concurrency key: printable ASCII without spaces, within the bound. */
export function checkConcurrencyKey(key: string): Checked<string> {
  if (key.length <= CONCURRENCY_KEY_CHARS_MAX && /^[\x21-\x7e]+$/.test(key)) return passed(key);
  return refused(
    `The concurrency key ${quote(key)} is not 1 to ${CONCURRENCY_KEY_CHARS_MAX} printable ASCII characters without spaces.`,
  );
}

/**
 * The key of a job that names none: its repository and branch, so that two jobs do not work on the same
 * branch at once. A commit does not move, so jobs on one need no turn.
 */
export function defaultKey({ repository, ref }: JobSpec): string | undefined {
  return isCommit(ref) ? undefined : `${nameOf(repository)}@${ref}`;
}

function wholeNumber(name: string, value: number | undefined, [min, max]: [number, number]) {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return null;
  return `${name} is ${value}; it must be a whole number from ${min} to ${max}.`;
}

function budget(value: number | undefined) {
  if (value === undefined || (value > 0 && value <= MAX_BUDGET_USD_MAX)) return null;
  return `maxBudgetUsd is ${value}; it must be above 0 and at most ${MAX_BUDGET_USD_MAX}.`;
}

function model(value: string | undefined) {
  if (value === undefined) return null;
  if (value.length <= MODEL_CHARS_MAX && /^[A-Za-z0-9][A-Za-z0-9._:@/[\]-]*$/.test(value))
    return null;
  return `model is ${quote(value)}; it must be a model name of letters, digits and . _ : @ / [ ] -, not starting with a sign.`;
}
