import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import { auditEverything } from "./audit.js";
import { runToEnd, submitter, type Person } from "./submitting.js";
import { World } from "./world.js";

let world: World;
let operator: Person;
let submit: ReturnType<typeof submitter>;
beforeEach(async () => {
  world = await World.make();
  operator = await world.user("operator");
  submit = submitter(world, operator);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const stateOf = async (jobId: Id<"jobs">) => (await world.job(jobId)).state;
const lines = (action: string) =>
  world.t.run(async (ctx) => {
    const rows = await ctx.db.query("audit").collect();
    return rows.filter((row) => row.action === action);
  });

/** Two limits of one gate, which is a fault: whoever looks for the gate's limit fails. */
async function poison(key: string) {
  const gate = `key:${key}`;
  await world.t.run(async (ctx) => {
    await ctx.db.insert("gateLimits", { gate, limit: 1 });
    await ctx.db.insert("gateLimits", { gate, limit: 2 });
  });
}

test("a job whose assignment fails is held with its reason; the others go on in the same pass", async () => {
  await poison("bad");
  const before = await submit({ priority: 2 });
  const bad = await submit({ concurrencyKey: "bad", priority: 1 });
  const after = await submit({ priority: 3 });
  await world.executor("box", 3);
  // No time passes: neither the timer nor the cron has had its turn.
  expect((await stateOf(before)).kind).toBe("assigned");
  expect((await stateOf(after)).kind).toBe("assigned");
  expect(await stateOf(bad)).toMatchObject({ kind: "waiting", reason: "approval" });
  const events = await operator.query(api.jobs.events, { jobId: bad });
  expect(events.at(-1)).toMatchObject({ cause: "hold", actor: "dispatcher" });
  expect(events.at(-1)?.detail).toContain("The dispatcher could not assign it");
  expect(await lines("job.setAside")).toMatchObject([{ target: bad, actor: "dispatcher" }]);
  expect(await auditEverything(world.t)).toEqual([]);
});

test("alone in the queue as well, and the slot stays free for the next job", async () => {
  await poison("bad");
  await world.executor("box", 1);
  const bad = await submit({ concurrencyKey: "bad" });
  expect((await stateOf(bad)).kind).toBe("waiting");
  const next = await submit();
  expect((await stateOf(next)).kind).toBe("assigned");
});

test("a job that cannot be held the usual way either is held without letting its neighbours in", async () => {
  await poison("bad");
  const neighbour = await submit();
  const bad = await submit({ concurrencyKey: "bad" });
  const good = await submit();
  await world.t.run(async (ctx) => {
    const state = { kind: "waiting", reason: "concurrency", since: 0 } as const;
    const waits = { state, gate: "key:bad", concurrencyKey: "bad", readyTs: 1n };
    await ctx.db.patch("jobs", neighbour, waits);
  });
  await world.executor("box", 3);
  expect((await stateOf(good)).kind).toBe("assigned");
  expect(await stateOf(bad)).toMatchObject({ kind: "waiting", reason: "approval" });
  const [line] = await lines("job.setAside");
  expect(line?.detail).toContain("And holding it failed");
});

test("many bad jobs at the head of the queue keep no good one behind them", async () => {
  await poison("bad");
  const bad = [];
  for (let i = 0; i < 40; i += 1) bad.push(await submit({ concurrencyKey: "bad", priority: 0 }));
  const good = await submit({ priority: 9 });
  await world.executor("box", 2);
  expect((await stateOf(good)).kind).toBe("assigned");
  for (const jobId of bad) expect((await stateOf(jobId)).kind).toBe("waiting");
});

test("an alert tells of it; once the fault is mended the job can be released and runs", async () => {
  await poison("bad");
  const executor = await world.executor("box", 1);
  const bad = await submit({ concurrencyKey: "bad" });
  await world.t.mutation(internal.alerts.evaluate, {});
  await world.settle();
  const open = await operator.query(api.alerts.list, {});
  expect(open.find((alert) => alert.rule === "setAside")?.detail).toContain(bad);
  await world.t.mutation(internal.admin.setGateLimit, { gate: "key:bad", limit: 1 });
  await operator.mutation(api.jobs.release, { jobId: bad });
  await world.settle();
  expect(await runToEnd(world, executor)).toBe(bad);
});
