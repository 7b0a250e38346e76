import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import { checkPatterns } from "../domain/artifact.js";
import { checkLabels } from "../domain/labels.js";
import { parseRef, parseRepository } from "../domain/repository.js";
import { checkApproval } from "../domain/steering.js";
import {
  checkConcurrencyKey,
  checkIdempotencyKey,
  checkLimits,
  checkOutputSchema,
  checkPriority,
  checkPrompt,
  checkRunAt,
  checkWindow,
  defaultKey,
} from "../domain/submission.js";
import * as Clock from "../lib/clock.js";
import * as Env from "../lib/env.js";
import { accept, fail } from "../lib/errors.js";
import type { DependencyPolicy, JobSpec } from "../protocol/job.js";
import { AFTER_MAX } from "../protocol/limits.js";
import type { SubmissionFields } from "../protocol/queue.js";
import * as Intake from "./intake.js";
import * as Jobs from "./jobs.js";
import * as Templates from "./templates.js";

/** A submission as somebody typed it; the arguments of `jobs:submit`. */
export type Typed = Omit<SubmissionFields, "prompt"> & {
  prompt?: string;
  template?: Templates.Use;
  runAt?: number;
  after?: string[];
  onDependencyFailure?: DependencyPolicy;
  idempotencyKey?: string;
  idempotencyWindowMs?: number;
};

/** Who submits, and the batch or schedule it comes from. */
export type Source = { submittedBy: string; origin?: string };

/** Checks each part, then puts the job into the queue. Throws INVALID_ARGUMENT with one sentence. */
export async function submit(
  ctx: MutationCtx,
  typed: Typed,
  { submittedBy, origin }: Source,
): Promise<{ jobId: Id<"jobs">; deduplicated: boolean }> {
  const spec = specOf(typed);
  const key = accept(checkIdempotencyKey(typed.idempotencyKey));
  const windowMs = accept(checkWindow(typed.idempotencyWindowMs));
  return Intake.put(ctx, {
    spec,
    prompt: await promptOf(ctx, typed),
    priority: accept(checkPriority(typed.priority)),
    labels: accept(checkLabels(typed.labels)),
    concurrencyKey: keyOf(typed, spec),
    runAt: accept(checkRunAt(typed.runAt, Clock.now())),
    hold: typed.hold ?? false,
    after: await prerequisites(ctx, typed.after ?? []),
    onDependencyFailure: typed.onDependencyFailure ?? "cancel",
    idempotency: key === undefined ? undefined : { key, windowMs },
    submittedBy,
    origin,
  });
}

/** Checks a submission that is to be made later, so that its author hears of mistakes at once. */
export function check(typed: SubmissionFields): void {
  keyOf(typed, specOf(typed));
  accept(checkPrompt(typed.prompt));
  accept(checkPriority(typed.priority));
  accept(checkLabels(typed.labels));
}

/** Checks a time to put a job off to: it must lie ahead. */
export function checkUntil(until: number): number {
  const now = Clock.now();
  const checked = accept(checkRunAt(until, now));
  if (checked === undefined || checked <= now) {
    throw fail("INVALID_ARGUMENT", `until is ${until}, which has passed.`);
  }
  return checked;
}

function specOf(typed: Typed): JobSpec {
  const hosts = (Env.find("REPOSITORY_HOSTS") ?? "github.com").split(",");
  const allowed = {
    hosts: hosts.map((host) => host.trim().toLowerCase()).filter((host) => host !== ""),
    local: Env.find("ALLOW_LOCAL_REPOSITORIES") === "1",
  };
  const patterns = accept(checkPatterns(typed.artifacts ?? []));
  const outputSchema = accept(checkOutputSchema(typed.outputSchema));
  const approval = accept(checkApproval(typed.approval));
  return {
    repository: accept(parseRepository(typed.repository, allowed)),
    ref: accept(parseRef(typed.ref)),
    limits: accept(checkLimits(typed.limits ?? {})),
    ...(patterns.length === 0 ? {} : { artifacts: patterns }),
    ...(outputSchema === undefined ? {} : { outputSchema }),
    ...(approval === undefined ? {} : { approval }),
  };
}

/** null asks for no key, nothing said for the usual one. */
function keyOf(typed: Typed, spec: JobSpec): string | undefined {
  if (typed.concurrencyKey === null) return undefined;
  if (typed.concurrencyKey === undefined) return defaultKey(spec);
  return accept(checkConcurrencyKey(typed.concurrencyKey));
}

async function promptOf(ctx: MutationCtx, { prompt, template }: Typed): Promise<string> {
  if ((prompt === undefined) === (template === undefined)) {
    throw fail("INVALID_ARGUMENT", "Give either a prompt or a template, not both and not none.");
  }
  const text = template === undefined ? (prompt ?? "") : await Templates.render(ctx, template);
  return accept(checkPrompt(text));
}

async function prerequisites(ctx: MutationCtx, after: readonly string[]): Promise<Doc<"jobs">[]> {
  const ids = [...new Set(after)];
  if (ids.length > AFTER_MAX) {
    throw fail(
      "INVALID_ARGUMENT",
      `A job comes after at most ${AFTER_MAX} others; ${ids.length} are named.`,
    );
  }
  return Promise.all(ids.map((id) => Jobs.getByText(ctx, id)));
}
