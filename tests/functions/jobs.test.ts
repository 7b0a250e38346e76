import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { aReport, codeOf, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

describe("submit", () => {
  const good = { repository: "octo/hello", prompt: "Say hello" };

  test("a job waits, with its defaults, under its submitter's name", async () => {
    const operator = await world.user("operator");
    const { jobId, deduplicated } = await operator.mutation(api.jobs.submit, good);
    expect(deduplicated).toBe(false);
    expect(await operator.query(api.jobs.get, { jobId })).toMatchObject({
      state: { kind: "pending" },
      submittedBy: "user:operator",
      priority: 5,
      attempt: 0,
      attemptsMax: 3,
      spec: { ref: "HEAD", limits: {} },
      latest: null,
    });
  });

  test("the same key by the same person → the same job; by another → another", async () => {
    const one = await world.user("operator", "one");
    const two = await world.user("operator", "two");
    const args = { ...good, idempotencyKey: "k" };
    const first = await one.mutation(api.jobs.submit, args);
    expect(await one.mutation(api.jobs.submit, args)).toEqual({ ...first, deduplicated: true });
    expect((await two.mutation(api.jobs.submit, args)).deduplicated).toBe(false);
  });

  test("after its window the same key → another job", async () => {
    const operator = await world.user("operator");
    const args = { ...good, idempotencyKey: "k", idempotencyWindowMs: 60_000 };
    const first = await operator.mutation(api.jobs.submit, args);
    await world.advance(59_000);
    expect(await operator.mutation(api.jobs.submit, args)).toEqual({
      ...first,
      deduplicated: true,
    });
    await world.advance(2_000);
    expect((await operator.mutation(api.jobs.submit, args)).deduplicated).toBe(false);
  });

  test.each([
    ["repository", { repository: "--upload-pack=x" }],
    ["ref", { ref: "-x" }],
    ["prompt", { prompt: " " }],
    ["prompt of 1 MB", { prompt: "x".repeat(1_000_000) }],
    ["limits", { limits: { maxTurns: 0 } }],
    ["priority", { priority: 10 }],
    ["idempotency key", { idempotencyKey: "" }],
    ["idempotency window", { idempotencyKey: "k", idempotencyWindowMs: 0 }],
    ["label", { labels: ["a b"] }],
    ["concurrency key", { concurrencyKey: "a b" }],
    ["runAt", { runAt: 0.5 }],
    ["list of prerequisites", { after: Array.from({ length: 17 }, (_, i) => String(i)) }],
    ["local path", { repository: "/srv/repo" }],
  ])("a bad %s → INVALID_ARGUMENT, and nothing is left behind", async (_, part) => {
    const operator = await world.user("operator");
    const before = await world.everything();
    const call = operator.mutation(api.jobs.submit, { ...good, ...part });
    expect(await codeOf(call)).toBe("INVALID_ARGUMENT");
    expect(await world.everything()).toEqual(before);
  });

  test("an unknown field is refused", async () => {
    const operator = await world.user("operator");
    const args = { ...good, limits: { maxTurn: 1 } as object };
    await expect(operator.mutation(api.jobs.submit, args)).rejects.toThrow("maxTurn");
  });

  test("hosts and local paths are the deployment's to allow", async () => {
    vi.stubEnv("REPOSITORY_HOSTS", "git.example.org, github.com");
    vi.stubEnv("ALLOW_LOCAL_REPOSITORIES", "1");
    const operator = await world.user("operator");
    const repositoryOf = async (repository: string) => {
      const { jobId } = await operator.mutation(api.jobs.submit, { ...good, repository });
      return (await operator.query(api.jobs.get, { jobId })).spec.repository;
    };
    expect(await repositoryOf("a/b")).toMatchObject({ host: "git.example.org" });
    expect(await repositoryOf("/srv/repo")).toEqual({ kind: "local", path: "/srv/repo" });
  });
});

describe("reading", () => {
  test("list → newest first, by state, page by page", async () => {
    const operator = await world.user("operator");
    const ids = [await world.submit(), await world.submit(), await world.submit()];
    const [oldest] = ids;
    if (oldest === undefined) throw new Error("no job");
    await operator.mutation(api.jobs.cancel, { jobId: oldest });
    const first = await operator.query(api.jobs.list, {
      paginationOpts: { numItems: 2, cursor: null },
    });
    expect(first.page.map((job) => job.jobId)).toEqual([ids[2], ids[1]]);
    const second = await operator.query(api.jobs.list, {
      paginationOpts: { numItems: 2, cursor: first.continueCursor },
    });
    expect(second.page.map((job) => job.jobId)).toEqual([oldest]);
    const canceled = await operator.query(api.jobs.list, {
      state: "canceled",
      paginationOpts: { numItems: 5_000, cursor: null },
    });
    expect(canceled.page.map((job) => job.jobId)).toEqual([oldest]);
  });

  test("list → all that is given must hold; a page looks at no more jobs than were asked for", async () => {
    const viewer = await world.user("viewer");
    const operator = await world.user("operator");
    const submit = async (prompt: string, ref = "main") =>
      (await operator.mutation(api.jobs.submit, { repository: "octo/hello", prompt, ref })).jobId;
    const ids = [
      await submit("\n  Mend the Roof\nand the door"),
      await submit("Paint the door", "roof-garden"),
      await submit("x".repeat(300)),
    ];
    const list = async (filter: object, numItems = 10) => {
      const found = await viewer.query(api.jobs.list, {
        ...filter,
        paginationOpts: { numItems, cursor: null },
      });
      return { ...found, ids: found.page.map(({ jobId }) => jobId) };
    };
    const all = await list({});
    expect(all.page.map(({ title }) => title)).toEqual([
      `${"x".repeat(119)}…`,
      "Paint the door",
      "Mend the Roof",
    ]);
    expect((await list({ text: "ROOF" })).ids).toEqual([ids[1], ids[0]]);
    expect((await list({ text: String(ids[2]) })).ids).toEqual([ids[2]]);
    expect((await list({ text: "roof", state: "failed" })).ids).toEqual([]);
    expect((await list({ submittedBy: "nobody" })).ids).toEqual([]);
    expect((await list({ from: all.page[1]?.submittedAt })).ids).toEqual([ids[2], ids[1]]);
    const short = await list({ text: "mend" }, 2);
    expect([short.ids, short.isDone]).toEqual([[], false]);
    expect(await viewer.query(api.jobs.prompt, { jobId: String(ids[1]) })).toBe("Paint the door");
  });

  test("events → oldest first, dense, with actor and token", async () => {
    const viewer = await world.user("viewer");
    const jobId = await world.submit();
    await world.executor("box", 1);
    const events = await viewer.query(api.jobs.events, { jobId });
    expect(events.map((e) => [e.seq, e.cause, e.from, e.to, e.actor, e.token])).toEqual([
      [0, "submit", "none", "pending", "operator", 0],
      [1, "assign", "pending", "assigned", "dispatcher", 1],
    ]);
    expect(await viewer.query(api.jobs.events, { jobId, limit: 1 })).toHaveLength(1);
    expect(await codeOf(viewer.query(api.jobs.events, { jobId, limit: 0 }))).toBe(
      "INVALID_ARGUMENT",
    );
  });

  test("what does not exist → NOT_FOUND", async () => {
    const operator = await world.user("operator");
    const jobId = await world.submit();
    await world.t.run((ctx) => ctx.db.delete("jobs", jobId));
    const calls = [
      operator.query(api.jobs.get, { jobId }),
      operator.query(api.jobs.get, { jobId: "nonsense" }),
      operator.mutation(api.jobs.cancel, { jobId }),
      operator.mutation(api.jobs.retry, { jobId }),
    ];
    for (const call of calls) expect(await codeOf(call)).toBe("NOT_FOUND");
  });

  test("no list and no detail carries more of the prompt than its first line", async () => {
    const viewer = await world.user("viewer");
    const operator = await world.user("operator");
    const submission = { repository: "octo/hello", prompt: "Say hello\nand keep this here" };
    const { jobId } = await operator.mutation(api.jobs.submit, submission);
    const shown = [
      await viewer.query(api.jobs.get, { jobId }),
      await viewer.query(api.jobs.list, { paginationOpts: { numItems: 9, cursor: null } }),
    ];
    expect(JSON.stringify(shown)).toContain("Say hello");
    expect(JSON.stringify(shown)).not.toContain("keep this here");
  });
});

test("attempts with large reports are read a megabyte at a time, the newest first", async () => {
  const executor = await world.executor("box");
  const jobId = await world.submit();
  const claim = await started(executor);
  const report = { ...aReport, result: "x".repeat(100_000) };
  const outcome = { kind: "failed", reason: "maxTurns", message: "" } as const;
  await executor.mutation(api.executors.finish, { ...claim, outcome, report });
  await world.t.run(async (ctx) => {
    const ended = await ctx.db.query("attempts").unique();
    if (ended === null) throw new Error("no attempt");
    const { executorId, assignedAt, sessionId, phases, end, finishedByExecutor } = ended;
    const row = { jobId, executorId, assignedAt, startedAt: assignedAt, sessionId, phases, end };
    for (let attempt = 2; attempt <= 40; attempt += 1) {
      await ctx.db.insert("attempts", {
        ...{ ...row, finishedByExecutor, report, attempt },
        token: 2 * attempt,
      });
    }
    await ctx.db.patch("jobs", jobId, { attempt: 40, token: 100 });
  });
  const viewer = await world.user("viewer");
  const attempts = await viewer.query(api.jobs.attempts, { jobId });
  expect(attempts.map(({ attempt }) => attempt)).toEqual([40, 39, 38, 37, 36, 35, 34, 33, 32, 31]);
  await world.submit();
  const next = await world.submit();
  const { estimateNote } = await viewer.query(api.jobs.waiting, { jobId: next });
  expect(estimateNote).toContain("the last 10 attempts");
});
