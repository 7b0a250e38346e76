import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import { empty } from "../../convex/domain/rollup.js";
import {
  LOG_TAIL_CHARS_MAX,
  PRUNE_ATTEMPTS,
  PRUNE_CHUNKS,
  PRUNE_EVENTS,
  PRUNE_JOBS,
  STEERING_PER_JOB_MAX,
} from "../../convex/protocol/limits.js";
import { AGED_KINDS, type RetentionKind } from "../../convex/protocol/retention.js";
import schema from "../../convex/schema.js";
import { auditEverything } from "./audit.js";
import { aReport, codeOf, finish, onlyAssignment, started, World } from "./world.js";

const DAY = 86_400_000;
let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const later = (days: number) => world.advance(days * DAY);
/** Of what goes by age; what has an end of its own, such as the sessions of a test's people, stays. */
const prune = (args: { dryRun?: boolean; kinds?: RetentionKind[] } = {}) =>
  world.t.action(internal.retention.prune, { kinds: [...AGED_KINDS], ...args });
const isThere = async (jobId: Id<"jobs">) =>
  (await world.t.run((ctx) => ctx.db.get("jobs", jobId))) !== null;

/** What is left of each table that jobs own rows of. */
async function counts() {
  return world.t.run(async (ctx) => {
    const tables = ["jobs", "prompts", "attempts", "events", "logTails", "logChunks"] as const;
    const rows = tables.map(
      async (table) => [table, (await ctx.db.query(table).collect()).length] as const,
    );
    return Object.fromEntries(await Promise.all(rows));
  });
}

/** A job that ran, wrote a log of this many chunks, and succeeded. */
async function anEndedJob(chunks = 2) {
  const executor = await world.executor(`box-${Date.now()}`, 1, 900_000);
  const jobId = await world.submit();
  const claim = await started(executor);
  const text = "x".repeat(LOG_TAIL_CHARS_MAX / 3);
  for (let seq = 0; seq < 2 * chunks + 1; seq += 1) {
    const entries = [{ at: 1, kind: "text" as const, text }];
    await executor.mutation(api.logs.append, { ...claim, seq, entries });
  }
  await finish(executor, claim, { kind: "succeeded" });
  await executor.mutation(api.executors.goOffline, {});
  return jobId;
}

describe("what is old goes", () => {
  test("logs first, after their own days; the job and its history stay", async () => {
    const jobId = await anEndedJob();
    const before = await counts();
    await later(31);
    const { rows, isComplete } = await prune();
    expect(rows).toMatchObject({ logTails: 1, logChunks: before["logChunks"] });
    expect(isComplete).toBe(true);
    expect(await counts()).toEqual({ ...before, logTails: 0, logChunks: 0 });
    const viewer = await world.user("viewer");
    expect(await viewer.query(api.logs.tail, { jobId, attempt: 1 })).toMatchObject({ tail: [] });
    expect(await auditEverything(world.t)).toEqual([]);
  });

  test("then ended jobs with all that is theirs, and nothing of others", async () => {
    const old = await anEndedJob();
    const before = await counts();
    await later(60);
    const young = await anEndedJob();
    await later(31);
    await prune({ kinds: ["jobs"] });
    expect([await isThere(old), await isThere(young)]).toEqual([false, true]);
    expect(await counts()).toEqual(before);
    expect(await auditEverything(world.t)).toEqual([]);
  });

  test("a job that has not ended stays, whatever its age, and its log with it", async () => {
    const pending = await world.submit();
    await later(400);
    const executor = await world.executor("one", 1, 900_000);
    const claim = await started(executor);
    const entries = [{ at: 1, kind: "text" as const, text: "x" }];
    await executor.mutation(api.logs.append, { ...claim, seq: 0, entries });
    await prune();
    expect(await isThere(pending)).toBe(true);
    expect(await counts()).toMatchObject({ jobs: 1, prompts: 1, attempts: 0, logTails: 1 });
  });

  test("a job that failed long ago and was retried is not old any more", async () => {
    const jobId = await world.submit();
    const operator = await world.user("operator");
    await operator.mutation(api.jobs.cancel, { jobId });
    await later(91);
    await operator.mutation(api.jobs.retry, { jobId });
    await prune();
    expect(await isThere(jobId)).toBe(true);
    await operator.mutation(api.jobs.cancel, { jobId });
    await later(89);
    await prune();
    expect(await isThere(jobId)).toBe(true);
    await later(2);
    await prune();
    expect(await isThere(jobId)).toBe(false);
  });

  test("metrics, audit, alerts and deliveries: what is over, and each by its own days", async () => {
    const at = Date.now();
    await world.t.run(async (ctx) => {
      for (const level of ["minute", "hour", "day", "all"] as const) {
        await ctx.db.insert("metrics", { level, start: level === "all" ? 0 : at, ...empty() });
      }
      await ctx.db.insert("audit", { at, action: "x", actor: "y" });
      const alert = {
        key: "k",
        rule: "spend",
        severity: "P2",
        title: "",
        detail: "",
        since: at,
      } as const;
      await ctx.db.insert("alerts", { ...alert, status: "open" });
      await ctx.db.insert("alerts", { ...alert, status: "resolved", resolvedAt: at });
      const message = {
        kind: "test",
        title: "",
        body: "",
        idempotencyKey: "",
        at,
        attempts: 1,
      } as const;
      await ctx.db.insert("outbox", { ...message, status: "sent", dueAt: at });
      await ctx.db.insert("outbox", { ...message, status: "waiting", dueAt: at });
    });
    const left = async () =>
      world.t.run(async (ctx) => ({
        metrics: (await ctx.db.query("metrics").collect()).map((row) => row.level),
        audit: (await ctx.db.query("audit").collect()).filter(
          (line) => line.action !== "retention.pruned",
        ).length,
        alerts: (await ctx.db.query("alerts").collect()).map((row) => row.status),
        outbox: (await ctx.db.query("outbox").collect()).map((row) => row.status),
      }));
    await later(8);
    await prune();
    expect((await left()).metrics).toEqual(["hour", "day", "all"]);
    await later(83);
    await prune();
    expect(await left()).toEqual({
      metrics: ["day", "all"],
      audit: 1,
      alerts: ["open"],
      outbox: ["waiting"],
    });
    await later(1_800);
    await prune();
    expect(await left()).toMatchObject({ metrics: ["all"], audit: 0, alerts: ["open"] });
  });
});

describe("what something refers to stays", () => {
  test("jobs of a batch, until all of them have ended; then they go, and the batch after them", async () => {
    const operator = await world.user("operator");
    const items = ["a/b", "a/c"].map((repository) => ({ repository }));
    const two = { name: "two", prompt: "x", items };
    const batchId = await operator.mutation(api.batches.submit, two);
    await world.settle();
    const [first, second] = await world.t.run((ctx) => ctx.db.query("jobs").collect());
    if (first === undefined || second === undefined) throw new Error("not two jobs");
    await operator.mutation(api.jobs.cancel, { jobId: first._id });
    await later(91);
    await prune();
    expect([await isThere(first._id), await isThere(second._id)]).toEqual([true, true]);
    await operator.mutation(api.jobs.cancel, { jobId: second._id });
    await later(91);
    await prune();
    expect(await counts()).toMatchObject({ jobs: 0, prompts: 0, events: 0 });
    expect(await world.t.run((ctx) => ctx.db.get("batches", batchId))).toBeNull();
  });

  test("a job whose dependents were not told of its end yet", async () => {
    const on = await world.submit();
    await world.t.mutation(internal.admin.cancelJob, { jobId: on });
    const jobId = await world.submit();
    const link = await world.t.run((ctx) => ctx.db.insert("dependencies", { jobId, on }));
    await later(91);
    await prune();
    expect(await isThere(on)).toBe(true);
    await world.t.run((ctx) => ctx.db.delete("dependencies", link));
    await prune();
    expect(await isThere(on)).toBe(false);
  });

  test("a revoked executor goes once no attempt names it; others stay, revoked or not", async () => {
    const administrator = await world.user("administrator");
    const used = await world.executor("used", 1, 900_000);
    await world.submit();
    await finish(used, await started(used), { kind: "succeeded" });
    const unused = await world.enrol("unused");
    const silent = await world.enrol("silent");
    for (const executorId of [used.executorId, unused]) {
      await administrator.mutation(api.executors.revoke, { executorId });
    }
    await later(91);
    const recent = await world.enrol("recent");
    const root = await world.user("administrator", "root");
    await root.mutation(api.executors.revoke, { executorId: recent });
    const left = async () =>
      world.t.run(async (ctx) => (await ctx.db.query("executors").collect()).map((e) => e._id));
    const kinds = ["executors" as const];
    expect((await prune({ kinds, dryRun: true })).rows).toEqual({ executors: 1 });
    expect((await prune({ kinds })).rows).toEqual({ executors: 1 });
    expect(await left()).toEqual([used.executorId, silent, recent]);
    await prune({ kinds: ["logs", "jobs"] });
    expect((await prune({ kinds })).rows).toEqual({ executors: 1 });
    expect(await left()).toEqual([silent, recent]);
    expect(await auditEverything(world.t)).toEqual([]);
  });

  test("a bulk operation goes with its outcomes once it ended long ago, and no other", async () => {
    const jobId = await world.submit();
    const outcomes = 300;
    await world.t.run(async (ctx) => {
      const row = {
        action: "cancel",
        filter: {},
        actor: "a",
        until: 0,
        pages: 1,
        cursor: null,
      } as const;
      const done = { looked: outcomes, done: outcomes, refused: 0 };
      const ended = { ...row, ...done, status: "done", endedAt: Date.now() } as const;
      const operationId = await ctx.db.insert("bulkOperations", ended);
      for (let i = 0; i < outcomes; i += 1) {
        await ctx.db.insert("bulkOutcomes", { operationId, jobId, ok: true, detail: "" });
      }
      await ctx.db.insert("bulkOperations", { ...row, ...done, status: "running" });
    });
    await later(91);
    const kinds = ["operations" as const];
    const dry = await prune({ kinds, dryRun: true });
    expect(dry.rows).toEqual({ bulkOperations: 1, bulkOutcomes: outcomes });
    expect(await prune({ kinds })).toEqual(dry);
    const left = await world.t.run((ctx) => ctx.db.query("bulkOperations").collect());
    expect(left.map((operation) => operation.status)).toEqual(["running"]);
  });
});

/** Tables that grow with work or with calls are deleted from by retention; why no other need be. */
const BOUNDED: Record<string, string> = {
  ...{ slots: "free slots of online executors", leases: "one each of online executors" },
  ...{ dispatcher: "one row", timer: "one row", controls: "one row", rollUp: "one row" },
  ...{ selfAudit: "one row", retention: "one row", settings: "one row", alertSettings: "one row" },
  ...{ emergency: "one row" },
  ...{ gateLimits: "set one by one by operators, deleted when cleared" },
  ...{ schedules: "SCHEDULES_MAX, deleted by people", secrets: "SECRETS_MAX, removed by people" },
  ...{ secretBoxes: "one each of secrets" },
  ...{ claudeCredentials: "CREDENTIALS_MAX, and one each of executors" },
  ...{
    budgets: "BUDGETS_MAX, set by people",
    reservations: "few each of jobs that executors hold, and of those that ended this minute",
    meters: "one each of jobs that executors hold",
  },
  ...{ credentialUses: "one each of jobs that executors hold" },
  ...{ templates: "TEMPLATE_VERSIONS_MAX of a name, written one by one by people" },
  ...{ checkpoints: "one of each job that is not over", fileSweep: "one row" },
  ...{ checkpointParts: "bounded for each checkpoint, deleted with it" },
  ...{ users: "made one by one by administrators", credentials: "one each of users" },
};
const DELETED = [
  ...["jobs", "prompts", "attempts", "events", "dependencies", "logTails", "logChunks"],
  ...["batches", "bulkOperations", "bulkOutcomes", "metrics", "audit", "alerts", "outbox"],
  ...["challenges", "apiKeys", "sessions", "enrolments", "assertionJtis"],
  ...["executors", "artifacts", "steering", "questions"],
];

test("every table is one that retention deletes from, or bounded for a stated reason", () => {
  expect([...DELETED, ...Object.keys(BOUNDED)].sort()).toEqual(Object.keys(schema.tables).sort());
});

describe("in steps", () => {
  test("a dry run counts what the run then deletes, and changes nothing", async () => {
    for (let i = 0; i < 3; i += 1) await anEndedJob(i);
    await world.submit();
    await later(91);
    const before = await world.everything();
    const dry = await prune({ dryRun: true });
    expect(await world.everything()).toEqual(before);
    expect(await prune()).toEqual(dry);
    expect(dry.rows).toMatchObject({ jobs: 3, attempts: 3, prompts: 3, logTails: 3 });
  });

  test("a log, a job and a number of jobs too large for one transaction go all the same", async () => {
    world = await World.make({ documentsRead: 1_000, documentsWritten: 600 });
    const jobId = await anEndedJob(PRUNE_CHUNKS + 3);
    await world.t.run(async (ctx) => {
      const attempt = await ctx.db.query("attempts").first();
      if (attempt === null) throw new Error("no attempt");
      const { executorId, assignedAt, sessionId, end } = attempt;
      const record = { assignedAt, sessionId, phases: [], end, finishedByExecutor: true };
      const more = 2 * PRUNE_ATTEMPTS;
      for (let i = 2; i <= more; i += 1) {
        await ctx.db.insert("attempts", { jobId, executorId, ...record, attempt: i, token: i });
      }
      await ctx.db.patch("jobs", jobId, { attempt: more });
    });
    await world.t.run(async (ctx) => {
      const event = { jobId, at: 1, cause: "x", from: "x", to: "x", actor: "x" };
      for (let seq = 100; seq < 100 + PRUNE_EVENTS; seq += 1) {
        const ts = ctx.db.vars.commitTs;
        await ctx.db.insert("events", { ...event, seq, attempt: 1, token: 1, ts });
      }
    });
    for (let i = 0; i < PRUNE_JOBS + 2; i += 1) {
      const next = await world.submit();
      await world.t.mutation(internal.admin.cancelJob, { jobId: next });
      await world.t.run(async (ctx) => {
        await ctx.db.patch("jobs", next, { steered: STEERING_PER_JOB_MAX });
        const said = { jobId: next, kind: "message", messageId: "m", by: "a", at: 1 } as const;
        const end = { state: "undelivered", stateAt: 1 } as const;
        for (let seq = 0; seq < STEERING_PER_JOB_MAX; seq += 1) {
          await ctx.db.insert("steering", { ...said, ...end, seq });
        }
      });
    }
    await later(91);
    expect((await prune()).isComplete).toBe(true);
    expect(Object.values(await counts()).every((count) => count === 0)).toBe(true);
  });

  test("the cron's run goes through all kinds by itself, and says what it deleted", async () => {
    await anEndedJob();
    await later(91);
    await world.t.mutation(internal.retention.begin, {});
    await world.settle();
    const viewer = await world.user("viewer");
    const { last } = await viewer.query(api.retention.settings, {});
    expect(last?.rows).toMatchObject({ jobs: 1, attempts: 1, prompts: 1, logTails: 1 });
    expect(await counts()).toMatchObject({ jobs: 0, events: 0 });
  });

  test("a run under way is left alone; one that died is begun anew, and the old one stops", async () => {
    const row = () => world.t.run((ctx) => ctx.db.query("retention").first());
    await world.t.mutation(internal.retention.begin, {});
    const before = await row();
    await world.t.mutation(internal.retention.begin, {});
    expect(await row()).toEqual(before);
    vi.setSystemTime(Date.now() + 11 * 60_000);
    await world.t.mutation(internal.retention.begin, {});
    const after = await row();
    expect(after?.generation).toBe(2);
    await world.t.mutation(internal.retention.goOn, { generation: 1 });
    expect(await row()).toEqual(after);
  });
});

describe("settings", () => {
  test("changed in part, and shown", async () => {
    const administrator = await world.user("administrator");
    expect(await administrator.mutation(api.retention.configure, { logs: 14 })).toMatchObject({
      logs: 14,
      jobs: 90,
    });
    expect(await administrator.query(api.retention.settings, {})).toMatchObject({
      days: { logs: 14 },
      last: null,
    });
  });

  test.each([{ logs: 0 }, { logs: 1.5 }, { logs: 91 }, { days: 90 }, { audit: 1e9 }])(
    "%j is refused",
    async (change) => {
      const administrator = await world.user("administrator");
      const refused = administrator.mutation(api.retention.configure, change);
      expect(await codeOf(refused)).toBe("INVALID_ARGUMENT");
    },
  );
});

test("an executor's report after its job is gone is refused, and leaves nothing behind", async () => {
  const executor = await world.executor("one", 1, 900_000);
  const jobId = await world.submit();
  const { token } = await onlyAssignment(executor);
  await world.t.mutation(internal.admin.cancelJob, { jobId });
  await later(91);
  await prune();
  const outcome = { kind: "succeeded" } as const;
  const late = executor.mutation(api.executors.finish, { jobId, token, outcome, report: aReport });
  expect(await codeOf(late)).toBe("STALE_LEASE");
});
