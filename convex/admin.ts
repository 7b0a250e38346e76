import { v } from "convex/values";
import { internalMutation, internalQuery } from "./_generated/server.js";
import { checkName } from "./domain/executor.js";
import { accept } from "./lib/errors.js";
import * as Audit from "./model/audit.js";
import * as Enrolments from "./model/enrolments.js";
import * as Executors from "./model/executors.js";
import * as Jobs from "./model/jobs.js";
import * as Submissions from "./model/submissions.js";
import { JOB_STATE_KINDS, jobLimits, jobState } from "./protocol/job.js";
import { PAGE_SIZE_MAX } from "./protocol/limits.js";
import { eventView, jobDetail, jobView } from "./protocol/view.js";

/** For `npx convex run`: who holds the deployment key acts as this. */
const OPERATOR = "operator";

/** Puts a job into the queue, as jobs:submit does. */
export const submitJob = internalMutation({
  args: {
    repository: v.string(),
    ref: v.optional(v.string()),
    prompt: v.string(),
    limits: v.optional(jobLimits),
    priority: v.optional(v.number()),
    idempotencyKey: v.optional(v.string()),
  },
  returns: v.object({ jobId: v.id("jobs"), deduplicated: v.boolean() }),
  handler: async (ctx, args) => Submissions.submit(ctx, args, OPERATOR),
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
    return (await Jobs.list(ctx, state, options)).page;
  },
});

/** Asks a job to end, as jobs:cancel does. */
export const cancelJob = internalMutation({
  args: { jobId: v.string() },
  returns: jobState,
  handler: async (ctx, { jobId }) => {
    const job = await Jobs.getByText(ctx, jobId);
    return Jobs.apply(ctx, job, { event: { kind: "cancel" }, actor: OPERATOR });
  },
});

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
