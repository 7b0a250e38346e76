import { v } from "convex/values";
import type { Doc } from "./_generated/dataModel.js";
import type { MutationCtx } from "./_generated/server.js";
import {
  checkName,
  checkRegistration,
  holderOf,
  isPublicJwk,
  readableDisk,
} from "./domain/executor.js";
import { clipOutcome, clipReport } from "./domain/report.js";
import { accept, fail } from "./lib/errors.js";
import {
  executorMutation,
  executorQuery,
  holderMutation,
  publicMutation,
  registrationMutation,
  userMutation,
  userQuery,
} from "./lib/functions.js";
import * as Assertions from "./model/assertions.js";
import * as Attempts from "./model/attempts.js";
import * as Audit from "./model/audit.js";
import * as Checkpoints from "./model/checkpoints.js";
import * as Enrolments from "./model/enrolments.js";
import * as Executors from "./model/executors.js";
import * as Jobs from "./model/jobs.js";
import * as RateLimits from "./model/rateLimits.js";
import * as Outcomes from "./model/outcomes.js";
import * as Spending from "./model/spending.js";
import * as Questions from "./model/questions.js";
import * as Steering from "./model/steering.js";
import * as UsageLimits from "./model/usageLimits.js";
import { disk } from "./protocol/alerts.js";
import { spent } from "./protocol/budget.js";
import {
  assignment,
  enrolReply,
  heartbeatReply,
  heldAttempt,
  publicJwk,
  registration,
  tokenReply,
  work,
} from "./protocol/executor.js";
import { attemptReport, outcome, phase as phaseName } from "./protocol/job.js";
import { SLOTS_MAX, TOKEN_CHARS_MAX } from "./protocol/limits.js";
import { executorView, executorLeaseView } from "./protocol/view.js";

const claim = { jobId: v.id("jobs"), token: v.number() };

// -- people --

/** Executors with their slots and health. */
export const list = userQuery("viewer")({
  args: {},
  returns: v.array(executorView),
  handler: async (ctx) => Executors.list(ctx),
});

/** Leases of online executors: apart from `list`, because each heartbeat changes one. */
export const leases = userQuery("viewer")({
  args: {},
  returns: v.array(executorLeaseView),
  handler: async (ctx) => Executors.leases(ctx),
});

/** Makes a one-time invitation for an executor. The token is shown this once. */
export const createEnrolment = userMutation("administrator")({
  args: { label: v.string() },
  returns: v.object({ token: v.string(), expiresAt: v.number() }),
  handler: async (ctx, args) => {
    const label = accept(checkName(args.label));
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: "enrolment.created", actor, target: label });
    return Enrolments.create(ctx, { label, createdBy: actor });
  },
});

/** Lets an executor finish what runs and gives it nothing new. */
export const drain = userMutation("operator")({
  args: { executorId: v.id("executors") },
  returns: v.null(),
  handler: async (ctx, { executorId }) => {
    const executor = await Executors.get(ctx, executorId);
    await Executors.drain(ctx, executor);
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: "executor.drained", actor, target: executor.name });
    return null;
  },
});

/** Gives a drained or unhealthy executor work again. */
export const resume = userMutation("operator")({
  args: { executorId: v.id("executors") },
  returns: v.null(),
  handler: async (ctx, { executorId }) => {
    const executor = await Executors.get(ctx, executorId);
    await Executors.resume(ctx, executor);
    await UsageLimits.welcome(ctx);
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: "executor.resumed", actor, target: executor.name });
    return null;
  },
});

/** Asks an executor for a new key; it replaces it within a heartbeat, and what it runs goes on. */
export const requestRotation = userMutation("administrator")({
  args: { executorId: v.id("executors") },
  returns: v.null(),
  handler: async (ctx, { executorId }) => {
    const executor = await Executors.get(ctx, executorId);
    await Executors.requestRotation(ctx, executor);
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: "executor.rotationAsked", actor, target: executor.name });
    return null;
  },
});

/** Ends an executor's identity for good. What it runs goes back to the queue. */
export const revoke = userMutation("administrator")({
  args: { executorId: v.id("executors") },
  returns: v.null(),
  handler: async (ctx, { executorId }) => {
    const executor = await Executors.get(ctx, executorId);
    const actor = `user:${ctx.user.username}`;
    await Executors.revoke(ctx, executor, actor);
    await Audit.write(ctx, { action: "executor.revoked", actor, target: executor.name });
    return null;
  },
});

// -- executors, before they have an identity --

/** Uses an invitation up and registers the public half of the key the executor made. */
export const enrol = publicMutation({
  args: { token: v.string(), name: v.string(), publicJwk },
  returns: enrolReply,
  handler: async (ctx, args) => {
    if (
      args.token.length > TOKEN_CHARS_MAX ||
      !isPublicJwk(args.publicJwk) ||
      !checkName(args.name).ok
    ) {
      return { ok: false as const, code: "INVALID_ARGUMENT" };
    }
    const enrolment = await Enrolments.use(ctx, args.token);
    if (enrolment === null) {
      if (!(await RateLimits.use(ctx, "refusalsOfAll")).ok) {
        return { ok: false as const, code: "RATE_LIMITED" };
      }
      await Audit.write(ctx, {
        action: "executor.enrol.refused",
        actor: "anonymous",
        target: args.name,
      });
      return { ok: false as const, code: "UNAUTHENTICATED" };
    }
    const { name } = args;
    const executorId = await Executors.add(ctx, { name, publicJwk: args.publicJwk });
    const by = { actor: enrolment.createdBy, target: name, detail: enrolment.label };
    await Audit.write(ctx, { action: "executor.enrolled", ...by });
    return { ok: true as const, executorId };
  },
});

/** Exchanges a signed assertion, once, for a ten-minute access token. */
export const token = publicMutation({
  args: { executorId: v.string(), assertion: v.string() },
  returns: tokenReply,
  handler: async (ctx, args) => {
    const executor = await Executors.findByText(ctx, args.executorId);
    if (executor === null) return { ok: false as const, code: "UNAUTHENTICATED" };
    if (executor.revoked) return { ok: false as const, code: "REVOKED" };
    // To verify costs less than to count: a stranger who knows the id must not use up what is the executor's.
    const assertion = await Assertions.use(ctx, executor, args.assertion);
    if (assertion === null) return refuseToken(ctx, executor);
    if (!(await RateLimits.useToken(ctx, executor._id))) {
      return { ok: false as const, code: "RATE_LIMITED" };
    }
    const { bootAt } = executor;
    if (bootAt !== undefined && assertion.boot !== executor.boot && assertion.bootAt <= bootAt) {
      await Audit.write(ctx, { action: "executor.superseded", actor: `executor:${executor.name}` });
      return { ok: false as const, code: "SUPERSEDED" };
    }
    return Assertions.grant(executor, assertion);
  },
});

/**
 * Refuses a statement that the executor's key did not sign just now for the first time. Too many leave
 * no line each, but get the same answer: an executor that tries its two keys in turn goes by it.
 */
async function refuseToken(ctx: MutationCtx, { _id, name }: Doc<"executors">) {
  if ((await RateLimits.use(ctx, "refusalsOfExecutor", { key: _id })).ok) {
    await Audit.write(ctx, { action: "executor.token.refused", actor: `executor:${name}` });
  }
  return { ok: false as const, code: "UNAUTHENTICATED" };
}

// -- executors --

/**
 * A process announces itself and takes over from an earlier one of the same identity. What that held
 * goes back to the queue, except `settling`: of those it has the log and perhaps the end, and finishes them.
 */
export const register = registrationMutation({
  args: { registration, settling: v.optional(v.array(heldAttempt)) },
  returns: v.object({ executorId: v.id("executors"), leaseMs: v.number() }),
  handler: async (ctx, { registration: given, settling = [] }) => {
    const checked = accept(checkRegistration(given));
    const { executor, claims } = ctx;
    await Executors.register(ctx, executor, { registration: checked, claims, settling });
    await UsageLimits.welcome(ctx);
    return { executorId: ctx.executor._id, leaseMs: checked.leaseMs };
  },
});

/**
 * Puts the executor's next key in the place of the one it has; both have signed for it. The reply is
 * a token of the new key; those of the old one are refused from now on.
 */
export const rotateKey = executorMutation({
  args: { publicJwk, assertion: v.string(), proof: v.string() },
  returns: tokenReply,
  handler: async (ctx, args) => {
    const actor = Executors.actorOf(ctx.executor);
    const isKey = isPublicJwk(args.publicJwk);
    const used = isKey ? await Assertions.useRotation(ctx, ctx.executor, args) : null;
    if (used === null || used.boot !== ctx.executor.boot) {
      await Audit.write(ctx, { action: "executor.rotation.refused", actor });
      return { ok: false as const, code: isKey ? "UNAUTHENTICATED" : "INVALID_ARGUMENT" };
    }
    const executor = await Executors.replaceKey(ctx, ctx.executor, args.publicJwk);
    await Audit.write(ctx, { action: "executor.keyRotated", actor });
    return Assertions.grant(executor, used);
  },
});

/** What the executor should be running: its one subscription. */
export const assignments = executorQuery({
  args: {},
  returns: v.array(assignment),
  handler: async (ctx) => {
    const jobs = await Jobs.heldBy(ctx, ctx.executor._id);
    return jobs.map((job) => ({
      jobId: job._id,
      attempt: job.attempt,
      token: job.token,
      started: job.state.kind === "running",
      cancelRequested: job.cancelRequestedAt !== undefined,
      ...(job.steered === undefined ? {} : { steered: job.steered }),
      ...(job.live?.stop === undefined ? {} : { stop: job.live.stop }),
    }));
  },
});

/** Begins an assigned attempt and hands over its work. Asked again, it answers the same. */
export const start = executorMutation({
  args: claim,
  returns: work,
  handler: async (ctx, args) => {
    const job = await Attempts.requireToken(ctx, ctx.executor, args);
    const isFirstAsk = job.state.kind === "assigned";
    if (isFirstAsk) {
      const actor = Executors.actorOf(ctx.executor);
      await Jobs.apply(ctx, job, { event: { kind: "start" }, actor });
    }
    const { sessionId } = Attempts.liveOf(job);
    const prompt = await Jobs.prompt(ctx, job);
    const offered = await Checkpoints.offer(ctx, job, { isFirstAsk, prompt });
    if (isFirstAsk) await Steering.rewind(ctx, job, offered?.at ?? -Infinity);
    const { approval, ...spec } = job.spec;
    const tools = approval?.tools;
    return {
      ...spec,
      limits: Spending.limitsOf(job),
      prompt,
      sessionId,
      ...(tools === undefined ? {} : { approval: { tools, isExhausted: !Questions.mayAsk(job) } }),
      ...(job.commit === undefined ? {} : { commit: job.commit }),
      ...(offered === null ? {} : { resume: offered.resume }),
      ...(Spending.isMetered(job) ? { isMetered: true } : {}),
    };
  },
});

/** The attempt reached its next phase. A phase it was in already changes nothing but its facts. */
export const phase = executorMutation({
  args: {
    ...claim,
    phase: phaseName,
    commit: v.optional(v.string()),
    spawnedAt: v.optional(v.number()),
  },
  returns: v.null(),
  handler: async (ctx, { jobId, token: held, ...entered }) => {
    const job = await Attempts.requireToken(ctx, ctx.executor, { jobId, token: held });
    await Outcomes.enterPhase(ctx, { job, executor: ctx.executor }, entered);
    return null;
  },
});

/** What an attempt whose work says `isMetered` has cost so far, all in all: US dollars, tokens. */
export const meter = executorMutation({
  args: { ...claim, ...spent.fields },
  returns: v.null(),
  handler: async (ctx, { jobId, token: held, ...told }) => {
    const job = await Attempts.requireToken(ctx, ctx.executor, { jobId, token: held });
    await Spending.meter(ctx, job, told);
    return null;
  },
});

/** Renews the lease; brings back what each held attempt is to do. */
export const heartbeat = holderMutation({
  args: { held: v.array(heldAttempt), disk: v.optional(disk) },
  returns: heartbeatReply,
  handler: async (ctx, { held, disk: reported }) => {
    if (held.length > 2 * SLOTS_MAX) {
      throw fail("INVALID_ARGUMENT", `${held.length} held attempts; at most ${2 * SLOTS_MAX}.`);
    }
    const holder = ctx.lease?.holder ?? holderOf(await Executors.get(ctx, ctx.executorId));
    const beating = {
      executorId: ctx.executorId,
      holder,
      lease: ctx.lease,
      executor: ctx.executor,
    };
    return Executors.heartbeat(ctx, beating, { held, disk: readableDisk(reported) });
  },
});

/** The attempt has ended. A repeat of an accepted call answers the same. */
export const finish = executorMutation({
  args: { ...claim, outcome, report: attemptReport },
  returns: v.object({ accepted: v.literal(true) }),
  handler: async (ctx, { jobId, token: held, ...ended }) => {
    const { executor } = ctx;
    const job = await Attempts.heldJob(ctx, executor, { jobId, token: held });
    if (job === null) {
      await Attempts.requireFinished(ctx, executor, { jobId, token: held });
      return { accepted: true as const };
    }
    const report = clipReport(ended.report);
    await Outcomes.finish(ctx, { job, executor }, { outcome: clipOutcome(ended.outcome), report });
    return { accepted: true as const };
  },
});

/** The process ends by itself: its slots go at once, what it still holds is interrupted. */
export const goOffline = executorMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    await Executors.goOffline(ctx, ctx.executor);
    return null;
  },
});
