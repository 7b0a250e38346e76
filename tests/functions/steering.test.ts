import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import {
  APPROVAL_MS_DEFAULT,
  SESSION_KEPT_MS,
  STEERING_PER_JOB_MAX,
} from "../../convex/protocol/limits.js";
import { auditEverything } from "./audit.js";
import {
  assigned,
  codeOf,
  type Executor,
  failed,
  finish,
  onlyAssignment,
  started,
  World,
} from "./world.js";

let world: World;
let box: Executor;
let operator: Awaited<ReturnType<World["user"]>>;
beforeEach(async () => {
  world = await World.make();
  box = await world.executor("box");
  operator = await world.user("operator", "ada");
});
afterEach(async () => {
  expect(await auditEverything(world.t)).toEqual([]);
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

type Claim = { jobId: Id<"jobs">; token: number };
const CALL = { toolUseId: "tool-1", tool: "Bash", input: '{"command":"git push"}' };
const SESSION = "11111111-2222-4333-8444-555555555555";
const asked = { kind: "asked", call: CALL } as const;

async function aRun(): Promise<Claim> {
  await world.submit();
  return started(box);
}
const say = (jobId: Id<"jobs">, text = "Mind the tests") =>
  operator.mutation(api.steering.message, { jobId, text });
const listed = async (jobId: Id<"jobs">) =>
  (await operator.query(api.steering.list, { jobId })).map(({ kind, state, attempt, reason }) => ({
    ...{ kind, state, attempt },
    ...(reason === undefined ? {} : { reason }),
  }));
const taken = (claim: Claim, by = box) => by.mutation(api.steering.take, claim);
const questions = (jobId: Id<"jobs">) => operator.query(api.questions.list, { jobId });

/** Starts the one assignment of an executor, and hands out its work. */
async function begin(by: Executor) {
  const { jobId, token } = await onlyAssignment(by);
  return by.mutation(api.executors.start, { jobId, token });
}

/** Keeps a checkpoint of the attempt, as an executor would. */
async function keep(claim: Claim, deferred?: string) {
  const checkpoint = {
    ...{ seq: 1, sessionId: SESSION, cwd: "/job/repo", commit: "c".repeat(40), turns: 1, ms: 10 },
    transcript: { mode: "replace" as const, parts: [await world.part(`t ${Math.random()}`)] },
    tree: [await world.part(`tree ${Math.random()}`)],
    ...(deferred === undefined ? {} : { deferred }),
  };
  await box.mutation(api.checkpoints.attach, { ...claim, checkpoint });
}

describe("steering a run", () => {
  test("the executor's subscription tells of a command; it is fetched once, and acknowledged", async () => {
    const claim = await aRun();
    expect((await onlyAssignment(box)).steered).toBeUndefined();
    const { steeringId } = await say(claim.jobId);
    expect((await onlyAssignment(box)).steered).toBe(1);
    const [order] = await taken(claim);
    expect(order).toMatchObject({ steeringId, kind: "message", text: "Mind the tests" });
    expect(await listed(claim.jobId)).toEqual([
      { kind: "message", state: "delivered", attempt: 1 },
    ]);
    await box.mutation(api.steering.acknowledge, { ...claim, steeringId });
    expect(await taken(claim)).toEqual([]);
    expect(await listed(claim.jobId)).toMatchObject([{ state: "acknowledged" }]);
  });

  test("a stale token fetches and acknowledges nothing", async () => {
    const claim = await aRun();
    const { steeringId } = await say(claim.jobId);
    const stale = { ...claim, token: claim.token - 1 };
    expect(await codeOf(taken(stale))).toBe("STALE_LEASE");
    const late = box.mutation(api.steering.acknowledge, { ...stale, steeringId });
    expect(await codeOf(late)).toBe("STALE_LEASE");
    expect(await listed(claim.jobId)).toMatchObject([{ state: "sent" }]);
  });

  test("a message waits for a run; an interrupt and a stop need one", async () => {
    const { jobId } = await world.t.mutation(internal.admin.submitJob, {
      ...{ repository: "octo/hello", prompt: "x", hold: true, concurrencyKey: null },
    });
    await say(jobId);
    for (const call of [api.steering.interrupt, api.steering.stopAfterTurn]) {
      expect(await codeOf(operator.mutation(call, { jobId }))).toBe("ILLEGAL_TRANSITION");
    }
    await operator.mutation(api.jobs.release, { jobId });
    await world.settle();
    expect(await taken(await started(box))).toMatchObject([{ kind: "message" }]);
  });

  test("what nobody took up before the job ended is undelivered, with the reason", async () => {
    const claim = await aRun();
    await say(claim.jobId);
    await operator.mutation(api.steering.stopAfterTurn, { jobId: claim.jobId });
    await taken(claim);
    await say(claim.jobId);
    await finish(box, claim, { kind: "succeeded" });
    const reason = expect.stringContaining("follow-up") as unknown;
    expect(await listed(claim.jobId)).toMatchObject(
      Array.from({ length: 3 }, () => ({ state: "undelivered", reason })),
    );
    expect(await codeOf(say(claim.jobId))).toBe("ILLEGAL_TRANSITION");
  });

  test("an attempt that is lost → its messages go to the next one, its interrupt to nobody", async () => {
    const first = await aRun();
    await say(first.jobId);
    await operator.mutation(api.steering.interrupt, { jobId: first.jobId, text: "Stop that" });
    const [message] = await taken(first);
    if (message === undefined) throw new Error("no message");
    // Taken up after the last checkpoint: the next conversation does not know it.
    const { steeringId } = message;
    await box.mutation(api.steering.acknowledge, { ...first, steeringId });
    await world.advance(100_000);
    const other = await world.executor("other");
    const { jobId, token } = await started(other);
    expect(await taken({ jobId, token }, other)).toMatchObject([{ kind: "message", steeringId }]);
    expect(await listed(jobId)).toMatchObject([
      { kind: "message", state: "delivered", attempt: 2 },
      { kind: "interrupt", state: "undelivered" },
    ]);
  });

  test("what a checkpoint contains is not said again", async () => {
    const first = await aRun();
    const { steeringId } = await say(first.jobId);
    await taken(first);
    await box.mutation(api.steering.acknowledge, { ...first, steeringId });
    await world.advance(6_000);
    await keep(first);
    await finish(box, first, { kind: "interrupted", reason: "shutdown" });
    await world.settle();
    const next = await started(box);
    expect(await taken(next)).toEqual([]);
    expect(await listed(first.jobId)).toMatchObject([{ state: "acknowledged", attempt: 1 }]);
  });

  test("a stopped run is canceled, keeps its report, and is not charged", async () => {
    const claim = await aRun();
    await finish(box, claim, { kind: "stopped" });
    expect(await world.job(claim.jobId)).toMatchObject({ state: { kind: "canceled" }, charged: 0 });
    const [end] = await operator.query(api.jobs.attempts, { jobId: claim.jobId });
    expect(end).toMatchObject({ end: { kind: "canceled" }, report: { costUsd: 0.5 } });
  });

  test("what looks like a secret is not shown; too long, empty and too many are refused", async () => {
    const { jobId } = await aRun();
    await say(jobId, `use sk-ant-${"a".repeat(20)} please`);
    const [shown] = await operator.query(api.steering.list, { jobId });
    expect(shown?.text).toBe("use [redacted] please");
    for (const text of ["", " ", "x".repeat(20_000), "\0"]) {
      expect(await codeOf(say(jobId, text))).toBe("INVALID_ARGUMENT");
    }
    for (let i = 1; i < STEERING_PER_JOB_MAX; i += 1) await say(jobId);
    expect(await codeOf(say(jobId))).toBe("ILLEGAL_TRANSITION");
  });
});

describe("a follow-up", () => {
  const isKept = async (jobId: Id<"jobs">) =>
    (await operator.query(api.jobs.get, { jobId })).isSessionKept;

  test("goes on with the session in a new job, at the same commit; the session is in one place alone", async () => {
    const claim = await aRun();
    await keep(claim);
    expect(await isKept(claim.jobId)).toBeUndefined();
    await finish(box, claim, { kind: "succeeded" });
    expect(await isKept(claim.jobId)).toBe(true);
    const { jobId } = await operator.mutation(api.jobs.followUp, {
      ...{ jobId: claim.jobId, text: "And the docs" },
    });
    await world.settle();
    const work = await begin(box);
    expect(work).toMatchObject({
      prompt: "And the docs",
      resume: { sessionId: SESSION, goOn: { kind: "message", text: "And the docs" } },
    });
    expect((await world.job(jobId)).origin).toBe(`job:${claim.jobId}`);
    expect(await isKept(claim.jobId)).toBe(false);
    const again = operator.mutation(api.jobs.followUp, { jobId: claim.jobId, text: "x" });
    expect(await codeOf(again)).toBe("ILLEGAL_TRANSITION");
  });

  test("canceled before it ran, keeps the session no longer than others do", async () => {
    const claim = await aRun();
    await keep(claim);
    await finish(box, claim, { kind: "succeeded" });
    await operator.mutation(api.queue.pause, { reason: "test" });
    const { jobId } = await operator.mutation(api.jobs.followUp, { jobId: claim.jobId, text: "x" });
    await operator.mutation(api.jobs.cancel, { jobId });
    const kept = () =>
      world.t.run(async (ctx) => (await ctx.db.query("checkpoints").collect()).length);
    await world.advance(SESSION_KEPT_MS - 1);
    expect(await kept()).toBe(1);
    await world.advance(1);
    expect(await kept()).toBe(0);
  });

  test("of a job that runs, or that left nothing → refused", async () => {
    const claim = await aRun();
    const follow = () =>
      codeOf(operator.mutation(api.jobs.followUp, { jobId: claim.jobId, text: "x" }));
    expect(await follow()).toBe("ILLEGAL_TRANSITION");
    await finish(box, claim, failed("maxTurns"));
    expect(await isKept(claim.jobId)).toBe(false);
    expect(await follow()).toBe("ILLEGAL_TRANSITION");
  });
});

describe("a question", () => {
  const ask = async () => {
    const claim = await aRun();
    await keep(claim, CALL.toolUseId);
    await finish(box, claim, asked);
    await world.settle();
    return claim;
  };

  test("frees the slot, charges nothing, and says what it waits for and until when", async () => {
    const { jobId } = await ask();
    expect(await assigned(box)).toEqual([]);
    const job = await world.job(jobId);
    const until = Date.now() + APPROVAL_MS_DEFAULT;
    expect(job).toMatchObject({ state: { kind: "waiting", reason: "answer", until }, asked: 1 });
    expect([job.charged, job.interruptions]).toEqual([0, 0]);
    const waiting = await operator.query(api.jobs.waiting, { jobId });
    expect(waiting).toMatchObject({ rule: "answer", until });
    expect(waiting.message).toContain("Bash");
    const open = await operator.query(api.questions.open, {});
    expect(open).toMatchObject([{ jobId, tool: "Bash", input: CALL.input, deadlineAt: until }]);
    // The slot is somebody else's now.
    const other = await world.submit();
    expect((await onlyAssignment(box)).jobId).toBe(other);
  });

  test.each([
    [true, "allowed", "A person allowed this call. They said: gently"],
    [false, "refused", "A person refused this call. They said: gently"],
  ])("answered with %s → the run goes on with that, anywhere", async (allow, state, message) => {
    const { jobId } = await ask();
    const [{ questionId } = { questionId: undefined }] = await questions(jobId);
    if (questionId === undefined) throw new Error("no question");
    await operator.mutation(api.questions.answer, { questionId, allow, text: "gently" });
    await world.settle();
    const { resume } = await begin(box);
    const { toolUseId } = CALL;
    expect(resume?.goOn).toEqual({ kind: "answer", toolUseId, isAllowed: allow, message });
    expect(await questions(jobId)).toMatchObject([{ state, answeredBy: "user:ada" }]);
    const again = operator.mutation(api.questions.answer, { questionId, allow: true });
    expect(await codeOf(again)).toBe("ILLEGAL_TRANSITION");
  });

  test("nobody answers in time → refused, by the timer alone", async () => {
    const { jobId } = await ask();
    await world.advance(APPROVAL_MS_DEFAULT);
    await world.settle();
    expect(await questions(jobId)).toMatchObject([{ state: "expired" }]);
    const other = await world.executor("other");
    const { resume } = await begin(other);
    expect(resume?.goOn).toMatchObject({ kind: "answer", isAllowed: false });
  });

  test("its job is canceled → withdrawn; it cannot be held, snoozed or requeued", async () => {
    const { jobId } = await ask();
    for (const call of [api.jobs.hold, api.jobs.requeue, api.jobs.release]) {
      expect(await codeOf(operator.mutation(call, { jobId }))).toBe("ILLEGAL_TRANSITION");
    }
    await operator.mutation(api.jobs.cancel, { jobId });
    expect(await questions(jobId)).toMatchObject([{ state: "withdrawn" }]);
    expect((await world.job(jobId)).deadlineAt).toBeUndefined();
  });

  test("the job was to cancel → it ends canceled, and nobody is asked", async () => {
    const claim = await aRun();
    await operator.mutation(api.jobs.cancel, { jobId: claim.jobId });
    await finish(box, claim, asked);
    expect((await world.job(claim.jobId)).state.kind).toBe("canceled");
    expect(await questions(claim.jobId)).toEqual([]);
  });

  test("which tools: checked at submission, handed to the executor", async () => {
    const submit = (tools: string[], answerMs?: number) =>
      operator.mutation(api.jobs.submit, {
        ...{ repository: "octo/hello", prompt: "x", concurrencyKey: null },
        approval: { tools, ...(answerMs === undefined ? {} : { answerMs }) },
      });
    for (const bad of ["", "1", "Bash(", "Bash()", "a b", "x".repeat(300)]) {
      expect(await codeOf(submit([bad])), bad).toBe("INVALID_ARGUMENT");
    }
    expect(await codeOf(submit(["Bash"], 1))).toBe("INVALID_ARGUMENT");
    const tools = ["Bash(git push*)", "mcp__db__*", "*"];
    await submit(tools, 60_000);
    await world.settle();
    const work = await begin(box);
    expect(work.approval).toEqual({ tools, isExhausted: false });
  });

  test("who holds the deployment key may do the same", async () => {
    const { jobId } = await ask();
    await world.t.mutation(internal.steering.tell, { jobId, kind: "message", text: "x" });
    const [{ questionId } = { questionId: undefined }] = await questions(jobId);
    if (questionId === undefined) throw new Error("no question");
    await world.t.mutation(internal.questions.settle, { questionId, allow: true });
    await world.settle();
    const { resume } = await begin(box);
    expect(resume?.goOn).toMatchObject({ isAllowed: true });
    const { jobId: held, token } = await onlyAssignment(box);
    await finish(box, { jobId: held, token }, { kind: "succeeded" });
    const followed = await world.t.mutation(internal.admin.followUpJob, { jobId, text: "y" });
    expect((await world.job(followed.jobId)).submittedBy).toBe("operator");
    expect(await listed(jobId)).toMatchObject([{ state: "undelivered" }]);
  });

  test("questions and commands go with their job", async () => {
    const { jobId } = await ask();
    await say(jobId);
    await operator.mutation(api.jobs.cancel, { jobId });
    await world.advance(400 * 24 * 60 * 60_000);
    const gone = { steering: 1, questions: 1, jobs: 1 };
    const counted = await world.t.action(internal.retention.prune, { dryRun: true });
    expect(counted.rows).toMatchObject(gone);
    expect((await world.t.action(internal.retention.prune, {})).rows).toMatchObject(gone);
    const rows = await world.t.run(async (ctx) => [
      ...(await ctx.db.query("steering").collect()),
      ...(await ctx.db.query("questions").collect()),
      ...(await ctx.db.query("jobs").collect()),
    ]);
    expect(rows).toEqual([]);
  });
});
