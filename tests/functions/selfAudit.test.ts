import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { MutationCtx } from "../../convex/_generated/server.js";
import { AUDIT_JOBS_PAGE, LOG_TAIL_CHARS_MAX } from "../../convex/protocol/limits.js";
import { INVARIANT_NAMES, type Invariant } from "../../convex/protocol/selfAudit.js";
import { auditEverything } from "./audit.js";
import { aReport, finish, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

/** A running job with a log of chunks, an ended one, a pending one, and a free slot on another machine. */
async function aBusyWorld() {
  const executor = await world.executor("one", 2, 900_000);
  await world.submit();
  await finish(executor, await started(executor), { kind: "succeeded" });
  await world.submit();
  const claim = await started(executor);
  const text = "x".repeat(LOG_TAIL_CHARS_MAX / 3);
  for (let seq = 0; seq < 10; seq += 2) {
    const entries = [0, 1].map(() => ({ at: 1, kind: "text" as const, text }));
    await executor.mutation(api.logs.append, { ...claim, seq, entries });
  }
  await world.t.mutation(internal.metrics.tick, {});
  await world.settle();
  return { executor, claim };
}

/** The first row of a table that is wanted. */
async function first<T>(rows: Promise<T[]>, wanted: (row: T) => boolean = () => true): Promise<T> {
  const found = (await rows).find(wanted);
  if (found === undefined) throw new Error("no such row");
  return found;
}

const jobs = (ctx: MutationCtx) => ctx.db.query("jobs").collect();
const running = (ctx: MutationCtx) => first(jobs(ctx), (job) => job.state.kind === "running");
const ended = (ctx: MutationCtx) => first(jobs(ctx), (job) => job.state.kind === "succeeded");
const slot = (ctx: MutationCtx) => first(ctx.db.query("slots").collect());
const lease = (ctx: MutationCtx) => first(ctx.db.query("leases").collect());

/** What must not be, one way each; `named` are the invariants that must say so, and no others. */
const PLANTED: [string, Invariant[], (ctx: MutationCtx) => Promise<unknown>][] = [
  [
    "a live attempt of a job that ended",
    ["oneLiveAttempt", "attemptsDense", "tokensGrow"],
    async (ctx) => {
      const { live } = await running(ctx);
      if (live === undefined) throw new Error("it runs without an attempt");
      await ctx.db.patch("jobs", (await ended(ctx))._id, { live });
    },
  ],
  [
    "a job that runs without an attempt",
    ["oneLiveAttempt", "attemptsDense"],
    async (ctx) => ctx.db.patch("jobs", (await running(ctx))._id, { live: undefined }),
  ],
  [
    "an attempt that ended without a record",
    ["attemptsDense"],
    async (ctx) => {
      const { _id } = await ended(ctx);
      const attempt = await first(ctx.db.query("attempts").collect(), (a) => a.jobId === _id);
      await ctx.db.delete("attempts", attempt._id);
    },
  ],
  [
    "a question that nobody waits for",
    ["questionsOpen"],
    async (ctx) => {
      const { _id } = await ended(ctx);
      await ctx.db.patch("jobs", _id, { asked: 1 });
      const call = { attempt: 1, toolUseId: "t", tool: "Bash", input: "{}" };
      const open = { askedAt: 1, deadlineAt: 2, state: "open" } as const;
      await ctx.db.insert("questions", { jobId: _id, ...call, ...open });
    },
  ],
  [
    "a command that nobody will take up",
    ["commandsSettled"],
    async (ctx) => {
      const { _id: jobId } = await ended(ctx);
      await ctx.db.patch("jobs", jobId, { steered: 1 });
      const said = { seq: 0, kind: "message", messageId: "m", text: "x", by: "a", at: 1 } as const;
      await ctx.db.insert("steering", { jobId, ...said, state: "sent", stateAt: 1 });
    },
  ],
  [
    "a token that fell back",
    ["tokensGrow"],
    async (ctx) => ctx.db.patch("jobs", (await ended(ctx))._id, { token: 0 }),
  ],
  [
    "an executor that holds a job without a lease",
    ["leaseBehindAttempt", "leaseOfOnline"],
    async (ctx) => ctx.db.delete("leases", (await lease(ctx))._id),
  ],
  [
    "two leases of one executor",
    ["leaseOfOnline"],
    async (ctx) => {
      const { executorId, expiresAt } = await lease(ctx);
      await ctx.db.insert("leases", { executorId, expiresAt, owed: [] });
    },
  ],
  [
    "a lease that knows its executor as another process",
    ["leaseOfOnline"],
    async (ctx) => {
      const { _id, holder } = await lease(ctx);
      if (holder === undefined) throw new Error("it knows nobody");
      await ctx.db.patch("leases", _id, { holder: { ...holder, boot: "another" } });
    },
  ],
  [
    "an ended job with a deadline",
    ["restHoldsNothing"],
    async (ctx) => ctx.db.patch("jobs", (await ended(ctx))._id, { deadlineAt: 9e15 }),
  ],
  [
    "an ended job with a slot",
    ["restHoldsNothing"],
    async (ctx) => ctx.db.patch("jobs", (await ended(ctx))._id, { slot: 7 }),
  ],
  [
    "a running job without a deadline",
    ["stateHasItsFields"],
    async (ctx) => ctx.db.patch("jobs", (await running(ctx))._id, { deadlineAt: undefined }),
  ],
  [
    "a running job that limits do not count",
    ["stateHasItsFields"],
    async (ctx) => ctx.db.patch("jobs", (await running(ctx))._id, { held: undefined }),
  ],
  [
    "a prerequisite that nobody is",
    ["prerequisitesCounted"],
    async (ctx) => ctx.db.patch("jobs", (await running(ctx))._id, { unmet: 1 }),
  ],
  [
    "more charges than attempts",
    ["countsAdd"],
    async (ctx) => ctx.db.patch("jobs", (await ended(ctx))._id, { interruptions: 1 }),
  ],
  [
    "an event too few",
    ["timelineDense"],
    async (ctx) => {
      const { _id, events } = await ended(ctx);
      const all = ctx.db.query("events").collect();
      const last = await first(all, (e) => e.jobId === _id && e.seq === events - 1);
      await ctx.db.delete("events", last._id);
    },
  ],
  [
    "a state that no event led to",
    ["timelineDense", "countersRight"],
    async (ctx) => {
      const { _id, attempt } = await ended(ctx);
      await ctx.db.patch("jobs", _id, {
        state: { kind: "pending" },
        readyTs: ctx.db.vars.commitTs,
      });
      // Else the dispatcher, too, would be found asleep beside a pending job.
      await ctx.db.delete("slots", (await slot(ctx))._id);
      const { executorId, ordinal } = { ...(await lease(ctx)), ordinal: 1 };
      await ctx.db.patch("leases", (await lease(ctx))._id, {
        owed: [{ jobId: _id, token: attempt, ordinal }],
      });
      return executorId;
    },
  ],
  [
    "a slot that is free and used",
    ["slotsConserved"],
    async (ctx) => {
      const used = (await running(ctx)).slot ?? -1;
      await ctx.db.patch("slots", (await slot(ctx))._id, { ordinal: used });
    },
  ],
  [
    "a slot that is nowhere",
    ["slotsConserved"],
    async (ctx) => ctx.db.delete("slots", (await slot(ctx))._id),
  ],
  [
    "a free slot of an executor that drains",
    ["leaseOfOnline", "slotsConserved"],
    async (ctx) => ctx.db.patch("executors", (await lease(ctx)).executorId, { draining: true }),
  ],
  [
    "a slot of an executor that is gone",
    ["strays"],
    async (ctx) => {
      const gone = await ctx.db.insert("executors", await plainExecutor(ctx));
      const { _id, _creationTime, ...row } = await slot(ctx);
      await ctx.db.insert("slots", { ...row, executorId: gone, freedTs: ctx.db.vars.commitTs });
      await ctx.db.delete("executors", gone);
      return [_id, _creationTime];
    },
  ],
  [
    "a chunk that is missing",
    ["logDense"],
    async (ctx) => {
      const chunk = await first(ctx.db.query("logChunks").collect(), (c) => c.index === 1);
      await ctx.db.delete("logChunks", chunk._id);
    },
  ],
  [
    "a tail that does not reach its end",
    ["logDense"],
    async (ctx) => {
      const tail = await first(ctx.db.query("logTails").collect());
      await ctx.db.patch("logTails", tail._id, { nextSeq: tail.nextSeq + 1 });
    },
  ],
  [
    "counters that drifted",
    ["countersRight"],
    async (ctx) => {
      const row = await first(ctx.db.query("rollUp").collect());
      await ctx.db.patch("rollUp", row._id, { states: { ...row.states, pending: 3 } });
    },
  ],
  [
    "a dispatcher asleep beside work",
    ["dispatcherAwake"],
    async (ctx) => {
      const { _id, _creationTime, ...job } = await ended(ctx);
      const readyTs = ctx.db.vars.commitTs;
      const state = { kind: "pending" } as const;
      const fresh = { ...job, state, readyTs, attempt: 0, token: 0, charged: 0, events: 1 };
      const jobId = await ctx.db.insert("jobs", fresh);
      const event = { seq: 0, at: 1, cause: "submit", from: "none", to: "pending", actor: "a" };
      const ts = ctx.db.vars.commitTs;
      await ctx.db.insert("events", { jobId, ...event, attempt: 0, token: 0, ts });
      return [_id, _creationTime];
    },
  ],
  [
    "a pass that never ran",
    ["dispatcherAwake"],
    async (ctx) => {
      const row = await first(ctx.db.query("dispatcher").collect());
      await ctx.db.patch("dispatcher", row._id, { status: "scheduled", since: 0 });
    },
  ],
  [
    "a timer that is off",
    ["timerArmed"],
    async (ctx) => {
      const row = await first(ctx.db.query("timer").collect());
      await ctx.db.patch("timer", row._id, { nextAt: null });
    },
  ],
  [
    "a schedule that the timer does not know of",
    ["timerArmed"],
    async (ctx) => {
      const cadence = { kind: "interval", everyMs: 3_600_000, anchorAt: 0 } as const;
      const row = { name: "s", cadence, catchUp: "skip" } as const;
      const submission = { repository: "octo/hello", prompt: "x" };
      const idle = { paused: false, nextAt: 1, runs: 0, createdBy: "user:a" };
      await ctx.db.insert("schedules", { ...row, submission, ...idle });
    },
  ],
  [
    "a deadline that passed long ago",
    ["deadlineKept", "timerArmed"],
    async (ctx) => ctx.db.patch("jobs", (await running(ctx))._id, { deadlineAt: 1 }),
  ],
  [
    "a message that nobody sends",
    ["outboxMoves"],
    async (ctx) => {
      const message = { kind: "test" as const, title: "", body: "", idempotencyKey: "k" };
      const row = { ...message, at: 0, status: "waiting" as const, attempts: 0, dueAt: 0 };
      await ctx.db.insert("outbox", row);
    },
  ],
  [
    "a job whose prompt is gone",
    ["referencesHold"],
    async (ctx) => ctx.db.delete("prompts", (await running(ctx)).promptId),
  ],
  [
    "an amount set aside for an attempt that ended",
    ["reservationsInFlight"],
    async (ctx) => {
      const { _id: jobId, token } = await ended(ctx);
      const of = { key: "all", scope: { kind: "all" }, period: "total", timeZone: "UTC" } as const;
      const amounts = { limit: 9, start: 0, spent: 0, reserved: 1, overshoot: 0 };
      const budgetId = await ctx.db.insert("budgets", { ...of, ...amounts });
      await ctx.db.insert("reservations", { budgetId, jobId, token, amount: 1 });
    },
  ],
];

async function plainExecutor(ctx: MutationCtx) {
  const { _id, _creationTime, ...row } = await first(ctx.db.query("executors").collect());
  return { ...row, name: `other than ${_id} of ${_creationTime}` };
}

describe("the invariants", () => {
  test("hold over a busy world, and after its machine is lost", async () => {
    await aBusyWorld();
    expect(await auditEverything(world.t)).toEqual([]);
    await world.advance(2_000_000);
    expect(await auditEverything(world.t)).toEqual([]);
  });

  test.each(PLANTED)("%s is named: %s", async (_what, named, plant) => {
    await aBusyWorld();
    await world.t.run(async (ctx) => {
      await plant(ctx);
    });
    const found = await auditEverything(world.t);
    expect([...new Set(found.map((v) => v.invariant))].sort()).toEqual([...named].sort());
    for (const { id, detail } of found) {
      expect(id).not.toBe("");
      expect(detail).toMatch(/\.$/);
    }
  });

  test("each of them is planted above", () => {
    const planted = new Set(PLANTED.flatMap(([, named]) => named));
    expect([...planted].sort()).toEqual([...INVARIANT_NAMES].sort());
  });
});

describe("a round of the audit", () => {
  const status = async (live?: boolean) => {
    const viewer = await world.user("viewer");
    return viewer.query(api.selfAudit.status, live === undefined ? {} : { live });
  };

  test("walks all parts page by page and stores its verdict: green", async () => {
    const executor = await world.executor("one", 1, 900_000);
    for (let i = 0; i < AUDIT_JOBS_PAGE + 3; i += 1) await world.submit();
    expect((await status()).verdict).toBeNull();
    await world.t.mutation(internal.selfAudit.begin, {});
    await world.settle();
    const { verdict } = await status();
    expect(verdict).toMatchObject({ violations: [], total: 0, isComplete: true });
    expect(verdict?.checked).toBeGreaterThan(AUDIT_JOBS_PAGE);
    expect(executor.executorId).not.toBe("");
  });

  test("a violation → red with the offending id, green again once it is repaired", async () => {
    await aBusyWorld();
    const jobId = await world.t.run(async (ctx) => {
      const { _id } = await running(ctx);
      await ctx.db.patch("jobs", _id, { slot: undefined });
      return _id;
    });
    await world.t.mutation(internal.selfAudit.begin, {});
    await world.settle();
    const red = (await status()).verdict;
    expect(red?.violations).toContainEqual(
      expect.objectContaining({ invariant: "stateHasItsFields", id: jobId }),
    );
    expect((await status(true)).live).toContainEqual(expect.objectContaining({ id: jobId }));
    await world.t.run((ctx) => ctx.db.patch("jobs", jobId, { slot: 0 }));
    await world.t.mutation(internal.selfAudit.begin, {});
    await world.settle();
    expect((await status()).verdict).toMatchObject({ total: 0 });
  });

  test("one under way is left alone; one that died is begun anew", async () => {
    await aBusyWorld();
    await world.t.mutation(internal.selfAudit.begin, {});
    const row = () => world.t.run((ctx) => ctx.db.query("selfAudit").first());
    const before = await row();
    await world.t.mutation(internal.selfAudit.begin, {});
    expect(await row()).toEqual(before);
    vi.setSystemTime(Date.now() + 6 * 60_000);
    await world.t.mutation(internal.selfAudit.begin, {});
    expect((await row())?.generation).toBe((before?.generation ?? 0) + 1);
    await world.t.mutation(internal.selfAudit.step, { generation: before?.generation ?? 0 });
    expect((await row())?.part).toBe("system");
  });

  test("run by hand checks all jobs at once", async () => {
    const { executor, claim } = await aBusyWorld();
    const report = await world.t.action(internal.selfAudit.run, {});
    expect(report).toMatchObject({ violations: [], isComplete: true });
    const outcome = { kind: "succeeded" } as const;
    await executor.mutation(api.executors.finish, { ...claim, outcome, report: aReport });
    expect(await auditEverything(world.t)).toEqual([]);
  });
});
