/** The lives of a job whose cost is counted. Each begins with an idle queue and ends with one. */
import { api } from "../../../convex/_generated/api.js";
import type { Id } from "../../../convex/_generated/dataModel.js";
import { CALM_MS } from "../../../convex/protocol/limits.js";
import type { Identity } from "../../../embedded/functions/types.js";
import type { Run } from "./meter.js";
import type { Claim, Executor, Place } from "./place.js";

const LOG_BATCHES = 30;
const LINES_PER_BATCH = 20;
const LINE = "The tests of the parser pass again; now the printer. ".repeat(2);
const HEARTBEATS = 20;
const HEARTBEAT_MS = 20_000;
const LEASE_MS = 60_000;
const FAR_MS = 600_000;
const BURST = 64;
const BURST_EXECUTORS = 8;

type Cast = { place: Place; person: Identity; executors: readonly Executor[] };
type Life = (cast: Cast) => Promise<void>;

export const LIVES = {
  "straight success": success,
  "success with two phases and two log batches": ordinary,
  "success with 30 log batches and 20 heartbeats": long,
  "one retry, then success": retried,
  "reclaimed from a dead executor, then success": reclaimed,
  "its executor registers again, then success": superseded,
  "canceled while it runs": canceled,
} satisfies Record<string, Life>;

export type LifeName = keyof typeof LIVES;
// The keys of this constant are its keys.
export const LIFE_NAMES = Object.keys(LIVES) as LifeName[];

/** What each function did in a life, in order. Two executors, come for it and gone after it. */
export async function live(place: Place, life: LifeName): Promise<Run[]> {
  const executors = [await place.executor("one"), await place.executor("two")];
  const cast = { place, person: place.person(), executors };
  await place.advance(2 * CALM_MS);
  place.meter.take();
  await LIVES[life](cast);
  await place.settle();
  const runs = place.meter.take();
  for (const executor of executors) await executor.goOffline();
  await place.settle();
  return runs;
}

/** 64 jobs submitted at once, to eight executors of eight slots: what each function did. */
export async function burst(place: Place, { slots }: { slots: number }): Promise<Run[]> {
  const person = place.person("burst");
  const names = Array.from({ length: BURST_EXECUTORS }, (_, i) => `burst-${i}`);
  const executors: Executor[] = [];
  for (const name of names) executors.push(await place.executor(name, { slots }));
  await place.settle();
  place.meter.take();
  const cast = { place, person, executors };
  const jobs = await Promise.all(Array.from({ length: BURST }, () => submit(cast)));
  await place.settle();
  for (let round = 0; round < BURST && (await hasWork(cast)); round += 1) {
    await inTurn(cast, (executor, claim) => executor.start(claim));
    await inTurn(cast, (executor, claim) => executor.finish(claim, { kind: "succeeded" }));
  }
  for (const jobId of jobs) await assertState(place, jobId, "succeeded");
  return place.meter.take();
}

export const BURST_JOBS = BURST;

async function hasWork({ place, executors }: Cast): Promise<boolean> {
  await place.settle();
  return executors.some((executor) => executor.assignments().length > 0);
}

/** All executors act on all their assignments at the same time, then everybody hears of it. */
async function inTurn(
  { place, executors }: Cast,
  act: (executor: Executor, claim: Claim) => Promise<void>,
): Promise<void> {
  const acts = executors.flatMap((executor) =>
    executor.assignments().map(({ jobId, token }) => act(executor, { jobId, token })),
  );
  await Promise.all(acts);
  await place.settle();
}

async function success(cast: Cast): Promise<void> {
  const { place } = cast;
  const { executor, claim } = await begun(cast);
  await executor.finish(claim, { kind: "succeeded" });
  await assertState(place, claim.jobId, "succeeded");
}

async function ordinary(cast: Cast): Promise<void> {
  const { place } = cast;
  const { executor, claim } = await begun(cast);
  await executor.append(claim, 0, ["cloning", "checked out"]);
  await executor.phase(claim, "running");
  await place.settle();
  await executor.phase(claim, "collecting");
  await place.settle();
  await executor.append(claim, 2, ["changed 1 file", "succeeded"]);
  await executor.finish(claim, { kind: "succeeded" });
  await assertState(place, claim.jobId, "succeeded");
}

async function long(cast: Cast): Promise<void> {
  const { place } = cast;
  const { executor, claim } = await begun(cast);
  for (let batch = 0; batch < LOG_BATCHES; batch += 1) {
    const lines = Array.from({ length: LINES_PER_BATCH }, () => LINE);
    await executor.append(claim, batch * LINES_PER_BATCH, lines);
  }
  for (let beat = 0; beat < HEARTBEATS; beat += 1) {
    await place.advance(HEARTBEAT_MS);
    await executor.heartbeat([claim]);
    await place.settle();
  }
  await executor.finish(claim, { kind: "succeeded" });
  await assertState(place, claim.jobId, "succeeded");
}

async function retried(cast: Cast): Promise<void> {
  const { place } = cast;
  const { executor, claim } = await begun(cast);
  const failed = { kind: "failed", reason: "apiError", message: "overloaded" } as const;
  await executor.finish(claim, failed);
  await place.settle();
  await assertState(place, claim.jobId, "backoff");
  await untilHeld(cast, claim.jobId);
  await again(cast);
}

async function reclaimed(cast: Cast): Promise<void> {
  const { place } = cast;
  const { executor, claim } = await begun(cast);
  executor.die();
  const others = cast.executors.filter((other) => other !== executor);
  for (let waited = 0; waited < LEASE_MS; waited += HEARTBEAT_MS) {
    await place.advance(HEARTBEAT_MS);
    for (const other of others) await other.heartbeat([]);
  }
  await place.settle();
  await again(cast);
  await assertState(place, claim.jobId, "succeeded");
}

async function superseded(cast: Cast): Promise<void> {
  const { place } = cast;
  const { executor, claim } = await begun(cast);
  await executor.register();
  await place.settle();
  await again(cast);
  await assertState(place, claim.jobId, "succeeded");
}

async function canceled(cast: Cast): Promise<void> {
  const { place, person } = cast;
  const { executor, claim } = await begun(cast);
  await place.mutation(api.jobs.cancel, { jobId: claim.jobId }, person);
  await place.settle();
  await executor.finish(claim, { kind: "canceled" });
  await assertState(place, claim.jobId, "canceled");
}

/** Submitted and started. */
async function begun(cast: Cast): Promise<{ executor: Executor; claim: Claim }> {
  await submit(cast);
  await cast.place.settle();
  const { executor, claim } = holder(cast);
  await executor.start(claim);
  await cast.place.settle();
  return { executor, claim };
}

/** Who has the one assignment there is. */
function holder({ executors }: Cast): { executor: Executor; claim: Claim } {
  const held = executors.flatMap((executor) =>
    executor.assignments().map(({ jobId, token }) => ({ executor, claim: { jobId, token } })),
  );
  const [one, ...more] = held;
  if (one === undefined || more.length > 0) throw new Error("not exactly one assignment");
  return one;
}

/** The next attempt, to its success. */
async function again(cast: Cast): Promise<void> {
  const { place } = cast;
  const { executor, claim } = holder(cast);
  await executor.start(claim);
  await place.settle();
  await executor.finish(claim, { kind: "succeeded" });
  await place.settle();
}

async function submit({ place, person }: Cast): Promise<Id<"jobs">> {
  // Jobs of one repository run one at a time unless they say otherwise; these are each on their own.
  const args = { repository: "octo/hello", prompt: "Say hello", concurrencyKey: null };
  return (await place.mutation(api.jobs.submit, args, person)).jobId;
}

/** The executor keeps its lease until the backoff is over. */
async function untilHeld({ place, executors }: Cast, jobId: Id<"jobs">): Promise<void> {
  for (let waited = 0; waited < FAR_MS; waited += HEARTBEAT_MS) {
    if ((await place.job(jobId)).state.kind !== "backoff") return;
    await place.advance(HEARTBEAT_MS);
    for (const executor of executors) await executor.heartbeat([]);
  }
  throw new Error(`job ${jobId} never left its backoff`);
}

async function assertState(place: Place, jobId: Id<"jobs">, kind: string): Promise<void> {
  await place.settle();
  const { state } = await place.job(jobId);
  if (state.kind !== kind) throw new Error(`job ${jobId} is ${state.kind}, not ${kind}`);
}
