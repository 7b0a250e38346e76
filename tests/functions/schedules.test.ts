import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import { codeOf, START, World } from "./world.js";

let world: World;
let operator: Awaited<ReturnType<World["user"]>>;
beforeEach(async () => {
  world = await World.make();
  operator = await world.user("operator");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const submission = { repository: "octo/hello", prompt: "Tidy up", concurrencyKey: null };
const hourly = { kind: "interval", everyMs: HOUR, anchorAt: START } as const;

async function create(extra: Partial<Parameters<typeof args>[0]> = {}) {
  return operator.mutation(api.schedules.create, args(extra));
}
const args = (extra: { name?: string; catchUp?: "skip" | "runOnce"; cadence?: Cadence }) => ({
  name: "nightly",
  cadence: hourly,
  submission,
  ...extra,
});
type Cadence =
  | { kind: "interval"; everyMs: number; anchorAt: number }
  | { kind: "cron"; expression: string; timeZone: string };

const jobs = () => world.t.run((ctx) => ctx.db.query("jobs").collect());
const get = (scheduleId: Id<"schedules">) => operator.query(api.schedules.get, { scheduleId });

test("a schedule fires at each occurrence, once, as its maker", async () => {
  const scheduleId = await create();
  await world.advance(HOUR - 1);
  expect(await jobs()).toHaveLength(0);
  await world.advance(1 + HOUR);
  const fired = await jobs();
  expect(fired.map((job) => [job.submittedBy, job.origin, job.idempotencyKey])).toEqual([
    ["user:operator", `schedule:${scheduleId}`, `schedule:${scheduleId}:${String(START + HOUR)}`],
    [
      "user:operator",
      `schedule:${scheduleId}`,
      `schedule:${scheduleId}:${String(START + 2 * HOUR)}`,
    ],
  ]);
  expect(await get(scheduleId)).toMatchObject({
    runs: 2,
    lastAt: START + 2 * HOUR,
    nextAt: START + 3 * HOUR,
    lastJobId: fired[1]?._id,
  });
});

test("a cron in a time zone fires at that zone's time of day", async () => {
  const cadence = { kind: "cron", expression: "30 2 * * *", timeZone: "Asia/Kolkata" } as const;
  const scheduleId = await create({ cadence });
  expect((await get(scheduleId)).nextAt).toBe(Date.UTC(2026, 0, 1, 21));
});

test("the same occurrence again, by a late sweep or a second one, submits nothing", async () => {
  const scheduleId = await create();
  await world.advance(HOUR);
  await world.t.mutation(internal.maintenance.fireSchedule, { scheduleId, now: Date.now() });
  await world.t.run((ctx) => ctx.db.patch("schedules", scheduleId, { nextAt: START + HOUR }));
  await world.t.mutation(internal.maintenance.reclaimExpired, {});
  expect(await jobs()).toHaveLength(1);
});

describe("occurrences missed while nothing could fire", () => {
  test.each([
    ["skip", 0],
    ["runOnce", 1],
  ] as const)("%s → %i job, and the next at its own time", async (catchUp, count) => {
    const scheduleId = await create({ catchUp });
    vi.setSystemTime(START + 5 * HOUR + 30 * MINUTE);
    await world.t.mutation(internal.maintenance.reclaimExpired, {});
    expect(await jobs()).toHaveLength(count);
    expect((await get(scheduleId)).nextAt).toBe(START + 6 * HOUR);
  });
});

test("paused → nothing fires; resumed → from then on; run now → at once", async () => {
  const scheduleId = await create();
  await operator.mutation(api.schedules.pause, { scheduleId });
  await world.advance(3 * HOUR + MINUTE);
  expect(await jobs()).toHaveLength(0);
  await operator.mutation(api.schedules.resume, { scheduleId });
  expect((await get(scheduleId)).nextAt).toBe(START + 4 * HOUR);
  await operator.mutation(api.schedules.runNow, { scheduleId });
  expect(await jobs()).toHaveLength(1);
  await world.advance(HOUR);
  expect(await jobs()).toHaveLength(2);
});

test("edited → the new cadence counts from now; deleted → it fires no more, its jobs stay", async () => {
  const scheduleId = await create();
  const cadence = { kind: "interval", everyMs: 10 * MINUTE, anchorAt: START } as const;
  await operator.mutation(api.schedules.update, { scheduleId, cadence, name: "often" });
  await world.advance(10 * MINUTE);
  expect(await jobs()).toHaveLength(1);
  await operator.mutation(api.schedules.remove, { scheduleId });
  await world.advance(HOUR);
  expect(await jobs()).toHaveLength(1);
  expect(await codeOf(get(scheduleId))).toBe("NOT_FOUND");
  expect(await operator.query(api.schedules.list, {})).toEqual([]);
});

test("a schedule whose submission is refused says why and goes on; others are not held up", async () => {
  const bad = await create();
  await create({ name: "good" });
  vi.stubEnv("REPOSITORY_HOSTS", "git.example.org");
  await world.t.run(async (ctx) => {
    const row = await ctx.db.get("schedules", bad);
    if (row === null) throw new Error("no schedule");
    const repository = "https://github.com/octo/hello";
    await ctx.db.patch("schedules", bad, { submission: { ...row.submission, repository } });
  });
  await world.advance(HOUR);
  expect(await jobs()).toHaveLength(1);
  const row = await get(bad);
  expect(row.lastError).toContain("github.com");
  expect(row.nextAt).toBe(START + 2 * HOUR);
});

test("preview → the next five times; what is wrong is said at once", async () => {
  const cadence = { kind: "cron", expression: "0 0 1 * *", timeZone: "UTC" } as const;
  const times = await operator.query(api.schedules.preview, { cadence, after: START });
  expect(times).toEqual([1, 2, 3, 4, 5].map((month) => Date.UTC(2026, month, 1)));
  const refused = [
    create({ cadence: { kind: "cron", expression: "nonsense", timeZone: "UTC" } }),
    create({ cadence: { kind: "interval", everyMs: 1, anchorAt: 0 } }),
    create({ name: " " }),
    operator.mutation(api.schedules.create, {
      ...args({}),
      submission: { ...submission, prompt: "" },
    }),
  ];
  for (const call of refused) expect(await codeOf(call)).toBe("INVALID_ARGUMENT");
  await create();
  expect(await codeOf(create())).toBe("INVALID_ARGUMENT");
});
