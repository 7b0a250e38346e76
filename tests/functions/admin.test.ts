import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { internal } from "../../convex/_generated/api.js";
import { codeOf, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

test("an operator submits, shows, lists and cancels a job without an identity", async () => {
  const jobId = await world.submit();
  const shown = await world.t.query(internal.admin.showJob, { jobId });
  expect(shown).toMatchObject({ prompt: "Say hello", job: { submittedBy: "operator" } });
  const listed = await world.t.query(internal.admin.listJobs, { state: "pending" });
  expect(listed.map((job) => job.jobId)).toEqual([jobId]);
  const state = await world.t.mutation(internal.admin.cancelJob, { jobId });
  expect(state.kind).toBe("canceled");
  expect(await codeOf(world.t.query(internal.admin.showJob, { jobId: "x" }))).toBe("NOT_FOUND");
});

test("GET /api/health → counts by state and executors online, without identity", async () => {
  const executor = await world.executor("box", 1);
  await world.submit();
  await started(executor);
  await world.submit();
  const response = await world.t.fetch("/api/health");
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    status: "ok",
    jobs: { pending: 1, assigned: 0, running: 1, backoff: 0 },
    executors: { online: 1 },
  });
});
