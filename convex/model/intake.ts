import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import * as Lease from "../domain/lease.js";
import { rowOf } from "../domain/lifecycle.js";
import { signature } from "../domain/labels.js";
import { titleOf } from "../domain/submission.js";
import * as Clock from "../lib/clock.js";
import { fail } from "../lib/errors.js";
import type { DependencyPolicy, JobSpec } from "../protocol/job.js";
import { ATTEMPTS_DEFAULT } from "../protocol/limits.js";
import * as Admission from "./admission.js";
import { assigned, type Patch, waiting } from "./change.js";
import * as Dependencies from "./dependencies.js";
import * as Direct from "./direct.js";
import * as Dispatcher from "./dispatcher.js";
import type * as Slots from "./slots.js";
import * as Timeline from "./timeline.js";
import * as Timer from "./timer.js";

/** A submission whose parts were checked. */
export type Submission = {
  spec: JobSpec;
  prompt: string;
  priority: number;
  submittedBy: string;
  labels: string[];
  concurrencyKey: string | undefined;
  runAt: number | undefined;
  hold: boolean;
  /** Jobs it comes after. */
  after: Doc<"jobs">[];
  onDependencyFailure: DependencyPolicy;
  idempotency: { key: string; windowMs: number } | undefined;
  origin: string | undefined;
  /** What to check out instead of what the ref names now. */
  commit?: string | undefined;
};

/** Puts a job into the queue, or finds the one submitted before under the same key. */
export async function put(
  ctx: MutationCtx,
  submission: Submission,
): Promise<{ jobId: Id<"jobs">; deduplicated: boolean }> {
  const at = Clock.now();
  const earlier = await findEarlier(ctx, submission, at);
  if (earlier !== null) return { jobId: earlier, deduplicated: true };
  const { spec, prompt, priority, submittedBy, concurrencyKey, runAt, origin } = submission;
  const { open, isHeld } = requirePrerequisites(submission);
  const lane = signature(submission.labels);
  const unmet = open.length;
  const applicant = { priority, submittedBy, lane, unmet, ...defined({ concurrencyKey, runAt }) };
  const { placed, dispatcher, slot } = isHeld
    ? { placed: waiting(ctx, { reason: "approval", since: at }) }
    : await place(ctx, { ...applicant, attempt: 0 }, at);
  const { state, rank, attempt, token, ...more } = { ...NEW, ...placed };
  const jobId = await ctx.db.insert("jobs", {
    ...{ spec, submittedBy, priority, lane, state, rank },
    promptId: await ctx.db.insert("prompts", { text: prompt }),
    title: titleOf(prompt),
    ...defined({ idempotencyKey: submission.idempotency?.key, concurrencyKey, runAt, origin }),
    ...defined({ commit: submission.commit }),
    ...(unmet === 0 ? {} : { unmet, onDependencyFailure: submission.onDependencyFailure }),
    ...defined(more),
    attempt,
    token,
    attemptsMax: spec.limits.attemptsMax ?? ATTEMPTS_DEFAULT,
    charged: 0,
    interruptions: 0,
    failures: [],
    events: 1,
  });
  await Dependencies.link(ctx, jobId, open);
  await Timeline.append(ctx, {
    ...{ jobId, seq: 0, at, cause: "submit", from: "none", to: rowOf(state, false) },
    ...{ actor: submittedBy, attempt, token },
    ...(slot === undefined ? {} : { executorId: slot.executorId }),
  });
  if (state.kind === "pending") await Dispatcher.notify(ctx, { kind: "job" }, dispatcher);
  const isArmed = slot !== undefined && !Lease.isBeyondLease(slot.leaseMs);
  if (more.deadlineAt !== undefined && !isArmed) await Timer.arm(ctx, more.deadlineAt);
  return { jobId, deduplicated: false };
}

type Placed = {
  placed: Patch;
  /** The row of the dispatcher, as it was read; of a job that is in the queue. */
  dispatcher?: Dispatcher.Row | null;
  /** The slot that was taken for the job. */
  slot?: Slots.Taken;
};

/** Has a job wait for the first rule that keeps it from running, be assigned at once, or queue up. */
async function place(
  ctx: MutationCtx,
  applicant: Admission.Applicant,
  at: number,
): Promise<Placed> {
  const obstacle = await Admission.obstacle(ctx, applicant, at);
  if (obstacle !== null) return { placed: obstacle.patch };
  const dispatcher = await Dispatcher.read(ctx);
  const slot = await Direct.takeSlot(ctx, applicant, dispatcher);
  if (slot !== null) return { placed: assigned(NEW, slot, at), slot };
  return { placed: (await Admission.queued(ctx, applicant, dispatcher)).patch, dispatcher };
}

/** A job as it begins, but for where it is placed. */
const NEW: Patch & Pick<Doc<"jobs">, "state" | "rank" | "attempt" | "token"> = {
  state: { kind: "pending" },
  rank: 0,
  attempt: 0,
  token: 0,
};

/** The latest job of this submitter under the same key, if it is not older than the window. */
async function findEarlier(
  ctx: MutationCtx,
  { submittedBy, idempotency }: Submission,
  at: number,
): Promise<Id<"jobs"> | null> {
  if (idempotency === undefined) return null;
  const job = await ctx.db
    .query("jobs")
    .withIndex("by_idempotency_key", (q) =>
      q
        .eq("submittedBy", submittedBy)
        .eq("idempotencyKey", idempotency.key)
        .gte("_creationTime", at - idempotency.windowMs),
    )
    .order("desc")
    .first();
  return job?._id ?? null;
}

/** What the job still comes after; a prerequisite that failed already is met as the policy says. */
function requirePrerequisites({ after, onDependencyFailure, hold }: Submission) {
  const { open, failed } = Dependencies.examine(after);
  if (failed !== null && onDependencyFailure === "cancel") {
    throw fail(
      "INVALID_ARGUMENT",
      `Job ${failed}, which this one is to come after, has ended without success. Retry it first, or set onDependencyFailure to hold or run.`,
    );
  }
  return { open, isHeld: hold || (failed !== null && onDependencyFailure === "hold") };
}

/** The fields that have a value: as an insert takes them. */
function defined<Fields extends object>(fields: Fields): Defined<Fields> {
  // What is left has no undefined in it, which is what the type says.
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Defined<Fields>;
}
type Defined<Fields> = { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> };
