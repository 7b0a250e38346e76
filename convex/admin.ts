import { v } from "convex/values";
import { internalMutation, internalQuery, type MutationCtx } from "./_generated/server.js";
import { checkName } from "./domain/executor.js";
import { accept } from "./lib/errors.js";
import * as Audit from "./model/audit.js";
import * as Bulk from "./model/bulk.js";
import type { JobEvent } from "./model/change.js";
import * as Enrolments from "./model/enrolments.js";
import * as Executors from "./model/executors.js";
import * as Explanations from "./model/explanations.js";
import * as FollowUps from "./model/followUps.js";
import * as Jobs from "./model/jobs.js";
import * as Operations from "./model/operations.js";
import * as Submissions from "./model/submissions.js";
import { JOB_STATE_KINDS, jobState } from "./protocol/job.js";
import { PAGE_SIZE_MAX } from "./protocol/limits.js";
import {
  bulkAction,
  bulkFilter,
  bulkView,
  queueLimits,
  queueView,
  submissionArgs,
  submitReply,
  waitingView,
} from "./protocol/queue.js";
import { eventView, jobDetail, jobView } from "./protocol/view.js";

/** For `npx convex run`: who holds the deployment key acts as this. */
const OPERATOR = "operator";

const one = { jobId: v.string() };

/** Puts a job into the queue, as jobs:submit does. */
export const submitJob = internalMutation({
  args: submissionArgs,
  returns: submitReply,
  handler: async (ctx, args) => {
    const put = await Submissions.submit(ctx, args, { submittedBy: OPERATOR });
    if (!put.deduplicated) {
      await Audit.write(ctx, { action: "job.submit", actor: OPERATOR, target: put.jobId });
    }
    return put;
  },
});

/** A job with its prompt and timeline. */
export const showJob = internalQuery({
  args: { jobId: v.string() },
  returns: v.object({ job: jobDetail, prompt: v.string(), events: v.array(eventView) }),
  handler: async (ctx, { jobId }) => {
    const job = await Jobs.getByText(ctx, jobId);
    return {
      job: await Jobs.detail(ctx, job),
      prompt: await Jobs.prompt(ctx, job),
      events: await Jobs.events(ctx, job._id, PAGE_SIZE_MAX),
    };
  },
});

/** The newest jobs, of one state or of all. */
export const listJobs = internalQuery({
  args: { state: v.optional(v.union(...JOB_STATE_KINDS.map((kind) => v.literal(kind)))) },
  returns: v.array(jobView),
  handler: async (ctx, { state }) => {
    const options = { numItems: PAGE_SIZE_MAX, cursor: null };
    return (await Jobs.list(ctx, { filter: state === undefined ? {} : { state } }, options)).page;
  },
});

/** Why a job does not run, as jobs:waiting says. */
export const explainJob = internalQuery({
  args: one,
  returns: waitingView,
  handler: async (ctx, { jobId }) => Explanations.explain(ctx, await Jobs.getByText(ctx, jobId)),
});

/** Asks a job to end, as jobs:cancel does. */
export const cancelJob = internalMutation({
  args: one,
  returns: jobState,
  handler: async (ctx, { jobId }) => act(ctx, jobId, { kind: "cancel" }),
});

/** Gives a failed or canceled job another go, as jobs:retry does. */
export const retryJob = internalMutation({
  args: one,
  returns: jobState,
  handler: async (ctx, { jobId }) => act(ctx, jobId, { kind: "retry" }),
});

/** Goes on with an ended job's session in a new job, as jobs:followUp does. */
export const followUpJob = internalMutation({
  args: { ...one, text: v.string() },
  returns: v.object({ jobId: v.id("jobs") }),
  handler: async (ctx, { jobId, text }) => {
    const job = await Jobs.getByText(ctx, jobId);
    await Audit.write(ctx, { action: "job.followUp", actor: OPERATOR, target: job._id });
    return { jobId: await FollowUps.follow(ctx, job, { text, by: OPERATOR }) };
  },
});

/** Sends a job back to the queue, as jobs:requeue does. */
export const requeueJob = internalMutation({
  args: one,
  returns: jobState,
  handler: async (ctx, { jobId }) => act(ctx, jobId, { kind: "requeue" }),
});

/** Keeps a job from running until it is released. */
export const holdJob = internalMutation({
  args: one,
  returns: jobState,
  handler: async (ctx, { jobId }) => act(ctx, jobId, { kind: "hold" }),
});

/** Lets a held job go on. */
export const releaseJob = internalMutation({
  args: one,
  returns: jobState,
  handler: async (ctx, { jobId }) => act(ctx, jobId, { kind: "release" }),
});

/** Puts a job off until a time, ms since the epoch. */
export const snoozeJob = internalMutation({
  args: { ...one, until: v.number() },
  returns: jobState,
  handler: async (ctx, { jobId, until }) =>
    act(ctx, jobId, { kind: "snooze", until: Submissions.checkUntil(until) }),
});

/** One action over all jobs that meet a filter, in the background; showBulk tells how far it is. */
export const startBulk = internalMutation({
  args: { action: bulkAction, filter: bulkFilter },
  returns: v.id("bulkOperations"),
  handler: async (ctx, args) => Bulk.start(ctx, { ...args, actor: OPERATOR }),
});

export const showBulk = internalQuery({
  args: { operationId: v.string() },
  returns: bulkView,
  handler: async (ctx, { operationId }) => Bulk.view(await Bulk.get(ctx, operationId)),
});

export const cancelBulk = internalMutation({
  args: { operationId: v.string() },
  returns: v.null(),
  handler: async (ctx, { operationId }) => {
    const operation = await Bulk.get(ctx, operationId);
    await Bulk.cancel(ctx, operation);
    await Audit.write(ctx, { action: "bulk.ended", actor: OPERATOR, target: operation._id });
    return null;
  },
});

/** Whether the queue is paused and why, its limits, and what its dispatcher waits for. */
export const showQueue = internalQuery({
  args: {},
  returns: queueView,
  handler: async (ctx) => Operations.view(ctx),
});

/** Gives nothing out until resumeQueue; what runs goes on, submissions are taken. */
export const pauseQueue = internalMutation({
  args: { reason: v.string(), maintenance: v.optional(v.boolean()) },
  returns: v.null(),
  handler: async (ctx, { reason, maintenance = false }) => {
    const kind = maintenance ? "maintenance" : "pause";
    await Operations.pause(ctx, { kind, reason, by: OPERATOR });
    return null;
  },
});

export const resumeQueue = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    await Operations.resume(ctx, OPERATOR);
    return null;
  },
});

/** Limits of the whole queue, as queue:setLimits sets them. */
export const setLimits = internalMutation({
  args: {
    running: v.optional(queueLimits.fields.running),
    perSubmitter: v.optional(queueLimits.fields.perSubmitter),
    perKey: v.optional(queueLimits.fields.perKey),
  },
  returns: v.null(),
  handler: async (ctx, args) => {
    await Operations.setLimits(ctx, args, OPERATOR);
    return null;
  },
});

/** The limit of one gate, as queue:setGateLimit sets it. */
export const setGateLimit = internalMutation({
  args: { gate: v.string(), limit: v.union(v.null(), v.number()), note: v.optional(v.string()) },
  returns: v.null(),
  handler: async (ctx, args) => {
    await Operations.setGateLimit(ctx, args, OPERATOR);
    return null;
  },
});

/** Lets an executor finish what runs and gives it nothing new. Takes its id. */
export const drainExecutor = internalMutation({
  args: { executorId: v.id("executors") },
  returns: v.null(),
  handler: async (ctx, { executorId }) => {
    const executor = await Executors.get(ctx, executorId);
    await Executors.drain(ctx, executor);
    await Audit.write(ctx, { action: "executor.drained", actor: OPERATOR, target: executor.name });
    return null;
  },
});

/** Ends an executor's identity for good, as executors:revoke does. Takes its id. */
export const revokeExecutor = internalMutation({
  args: { executorId: v.id("executors") },
  returns: v.null(),
  handler: async (ctx, { executorId }) => {
    const executor = await Executors.get(ctx, executorId);
    await Executors.revoke(ctx, executor, OPERATOR);
    await Audit.write(ctx, { action: "executor.revoked", actor: OPERATOR, target: executor.name });
    return null;
  },
});

/** Asks an executor for a new key, as executors:requestRotation does. Takes its id. */
export const requestRotation = internalMutation({
  args: { executorId: v.id("executors") },
  returns: v.null(),
  handler: async (ctx, { executorId }) => {
    const executor = await Executors.get(ctx, executorId);
    await Executors.requestRotation(ctx, executor);
    const target = executor.name;
    await Audit.write(ctx, { action: "executor.rotationAsked", actor: OPERATOR, target });
    return null;
  },
});

/** Gives a drained or unhealthy executor work again. Takes its id. */
export const resumeExecutor = internalMutation({
  args: { executorId: v.id("executors") },
  returns: v.null(),
  handler: async (ctx, { executorId }) => {
    const executor = await Executors.get(ctx, executorId);
    await Executors.resume(ctx, executor);
    await Audit.write(ctx, { action: "executor.resumed", actor: OPERATOR, target: executor.name });
    return null;
  },
});

async function act(ctx: MutationCtx, jobId: string, event: JobEvent) {
  const job = await Jobs.getByText(ctx, jobId);
  await Audit.write(ctx, { action: `job.${event.kind}`, actor: OPERATOR, target: job._id });
  return Jobs.apply(ctx, job, { event, actor: OPERATOR });
}

/** Makes a one-time invitation for an executor. */
export const createEnrolment = internalMutation({
  args: { label: v.string() },
  returns: v.object({ token: v.string(), expiresAt: v.number() }),
  handler: async (ctx, args) => {
    const label = accept(checkName(args.label));
    await Audit.write(ctx, { action: "enrolment.created", actor: OPERATOR, target: label });
    return Enrolments.create(ctx, { label, createdBy: OPERATOR });
  },
});

/** What GET /api/health answers. Counts stop at HEALTH_COUNT_MAX. */
export const health = internalQuery({
  args: {},
  returns: v.object({
    status: v.literal("ok"),
    jobs: v.object({
      pending: v.number(),
      assigned: v.number(),
      running: v.number(),
      backoff: v.number(),
    }),
    executors: v.object({ online: v.number() }),
  }),
  handler: async (ctx) => ({
    status: "ok" as const,
    jobs: {
      pending: await Jobs.countUpTo(ctx, "pending"),
      assigned: await Jobs.countUpTo(ctx, "assigned"),
      running: await Jobs.countUpTo(ctx, "running"),
      backoff: await Jobs.countUpTo(ctx, "backoff"),
    },
    executors: { online: await Executors.countOnline(ctx) },
  }),
});
