/** A hundred submits and fifty ends at once, with conflicts beyond those that happen by themselves. */
import { expect, test } from "vitest";
import { createClock } from "../../embedded/control.js";
import { ConflictError } from "../../embedded/engine/engine.js";
import { ScheduledFunctions } from "../../embedded/scheduler/scheduled.js";
import { QueueCore, succeeded, type Process } from "../support/queueCore.js";
import { seeded } from "../embedded/fireRandom.js";

const EXECUTORS = 5;
const SLOTS = 10;
const SUBMITS = 100;
const ENDS = EXECUTORS * SLOTS;
const INJECTED_SHARE = 0.3;
/** Rounds of starting and ending what is assigned, far more than the jobs need. */
const ROUNDS_MAX = 100;
/**
 * Commits that lost by themselves, a job. The backend starts functions one after the other, so today
 * there are none; conflictMatrix.test.ts has the pairs that conflict where they overlap.
 */
const CONFLICTS_PER_JOB_MAX = 1;

test("100 submits and 50 ends at once: all are taken, all jobs end once, few commits lose", async () => {
  const random = seeded(20_260_101);
  const lost = { injected: 0, real: 0, tables: new Map<string, number>() };
  // The set-up makes each call once: it could lose all its tries.
  let isInjecting = false;
  const core = await QueueCore.open({
    beforeCommit: () => {
      if (!isInjecting || !random.chance(INJECTED_SHARE)) return;
      lost.injected += 1;
      throw new ConflictError("injected");
    },
  });
  const { engine, runner } = core.backend;
  const commit = engine.commit.bind(engine);
  engine.commit = (tx, extras) => {
    try {
      return commit(tx, extras);
    } catch (error) {
      if (error instanceof ConflictError && error.table !== "injected") {
        lost.real += 1;
        lost.tables.set(error.table, (lost.tables.get(error.table) ?? 0) + 1);
      }
      throw error;
    }
  };
  const ports = { engine, runner, clock: createClock(), log: () => undefined };
  const scheduled = new ScheduledFunctions(ports);
  await scheduled.start();
  const executors: Process[] = [];
  for (let i = 0; i < EXECUTORS; i += 1) executors.push(await core.executor(`box-${i}`, SLOTS));
  for (let i = 0; i < ENDS; i += 1) await core.submit();
  await scheduled.idle();
  const begun = (await Promise.all(executors.map((each) => begin(core, each)))).flat();
  expect(begun).toHaveLength(ENDS);

  isInjecting = true;
  Object.assign(lost, { injected: 0, real: 0 });
  lost.tables.clear();
  const submits = Array.from({ length: SUBMITS }, () => again(() => core.submit()));
  const ends = begun.map(({ claim, by }) =>
    again(() => core.mutation("executors:finish", succeeded(claim), by.identity)),
  );
  await Promise.all([...submits, ...ends]);
  const burst = { ...lost, tables: Object.fromEntries(lost.tables) };

  for (
    let round = 0;
    round < ROUNDS_MAX && countOf(core, "succeeded") < SUBMITS + ENDS;
    round += 1
  ) {
    await scheduled.idle();
    const next = (await Promise.all(executors.map((each) => begin(core, each)))).flat();
    await Promise.all(
      next.map(({ claim, by }) =>
        again(() => core.mutation("executors:finish", succeeded(claim), by.identity)),
      ),
    );
  }
  expect(countOf(core, "succeeded")).toBe(SUBMITS + ENDS);
  // Each job had one attempt: nothing ran twice, nothing was lost on the way.
  expect(core.rows("jobs").every((job) => job["attempt"] === 1)).toBe(true);
  const perJob = burst.real / (SUBMITS + ENDS);
  process.stdout.write(
    `contention: ${burst.real} conflicts for ${SUBMITS + ENDS} jobs (${perJob.toFixed(2)} a job), ` +
      `${burst.injected} injected; by table ${JSON.stringify(burst.tables)}\n`,
  );
  expect(perJob).toBeLessThan(CONFLICTS_PER_JOB_MAX);
  await scheduled.stop();
  await core.close();
});

/** Starts all that an executor was assigned. */
async function begin(core: QueueCore, by: Process) {
  const claims = (await core.assignments(by)).filter((claim) => !claim.started);
  await Promise.all(
    claims.map(({ jobId, token }) =>
      again(() => core.mutation("executors:start", { jobId, token }, by.identity)),
    ),
  );
  return claims.map((claim) => ({ claim, by }));
}

/** As clients do: a call that lost to conflicts to the end is made again, a bounded number of times. */
async function again<T>(act: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await act();
    } catch (error) {
      const isConflict = error instanceof Error && error.message.includes("changed while this");
      if (!isConflict || tries === 5) throw error;
    }
  }
}

function countOf(core: QueueCore, kind: string): number {
  const states = core.rows("jobs").map((job) => (job["state"] as { kind: string }).kind);
  return states.filter((state) => state === kind).length;
}
