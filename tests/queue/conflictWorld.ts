/** The worlds in which pairs of functions meet, and what each function does there. */
import type { JSONValue } from "convex/values";
import { CALM_MS, LEASE_MS_DEFAULT } from "../../convex/protocol/limits.js";
import type { Identity } from "../../embedded/functions/types.js";
import { VirtualClock } from "../simulation/embeddedClock.js";
import { type Assigned, type Process, QueueCore, succeeded } from "../support/queueCore.js";

const START_MS = Date.UTC(2030, 0, 1);
const FAR_MS = 3_600_000;
/** What an executor asks for unless it is told otherwise. */
const LEASE_MS = LEASE_MS_DEFAULT;

/**
 * idle: the dispatcher sleeps for want of jobs, slots are free. backlog: its next pass is due, jobs wait
 * beside free slots. full: it sleeps for want of slots, jobs wait.
 */
export const WORLDS = ["idle", "backlog", "full"] as const;
export type WorldName = (typeof WORLDS)[number];

/** One half of a world: what functions of one side act on, and nobody of the other side. */
export type Cast = {
  core: QueueCore;
  person: Identity;
  executor: Process;
  assigned: Assigned;
  running: Assigned;
  /** Ids of jobs that no executor holds. */
  held: string;
  snoozed: string;
  canceled: string;
};
export type World = { core: QueueCore; left: Cast; right: Cast };

/** A world with two sides, and an executor beside them whose lease has run out. */
export async function openWorld(name: WorldName): Promise<World> {
  const clock = new VirtualClock(START_MS);
  const core = await QueueCore.open({}, clock);
  const left = await cast(core, "left");
  const right = await cast(core, "right");
  await expired(core);
  if (name !== "full")
    for (const { executor } of [left, right]) await core.offer(executor, 8, LEASE_MS);
  await core.settle();
  if (name === "backlog") await core.mutation("queue:pause", { reason: "set-up" }, left.person);
  if (name !== "idle") {
    await core.submit();
    await core.submit();
  }
  if (name === "backlog") await core.mutation("queue:resume", {}, left.person);
  else await core.settle();
  // So that no submission is in a rush.
  clock.advance(2 * CALM_MS);
  return { core, left, right };
}

/** One side of a world, in it. */
export async function cast(core: QueueCore, name: string): Promise<Cast> {
  const person = core.person(name);
  const of = (extra: Record<string, JSONValue>) => submit(core, person, extra);
  const executor = await core.executor(name, 2, LEASE_MS);
  const [first, second] = [await of({}), await of({})];
  await core.settle();
  const claims = await core.assignments(executor);
  const [assigned, running] = [first, second].map((id) => claims.find((c) => c.jobId === id));
  if (assigned === undefined || running === undefined) throw new Error("not assigned");
  const { jobId, token } = running;
  await core.mutation("executors:start", { jobId, token }, executor.identity);
  const canceled = await of({ hold: true });
  await core.mutation("jobs:cancel", { jobId: canceled }, person);
  const held = await of({ hold: true });
  const snoozed = await of({ runAt: core.nowMs() + FAR_MS });
  return { core, person, executor, assigned, running, held, snoozed, canceled };
}

/** An executor that holds a job and was silent for too long. */
async function expired(core: QueueCore): Promise<void> {
  const { executorId } = await core.executor("expired", 1, LEASE_MS);
  await core.submit();
  await core.settle();
  const lease = core.rows("leases").find((row) => row["executorId"] === executorId);
  const tx = core.backend.engine.begin();
  tx.patch("leases", String(lease?.["_id"]), { expiresAt: 1 });
  core.backend.engine.commit(tx);
}

async function submit(core: QueueCore, person: Identity, extra: Record<string, JSONValue>) {
  const args = { repository: "octo/hello", prompt: "x", concurrencyKey: null, ...extra };
  return (await core.mutation<{ jobId: string }>("jobs:submit", args, person)).jobId;
}

type Acted = ReturnType<QueueCore["mutate"]>;

const personal = (name: string, args: (cast: Cast) => JSONValue) => (cast: Cast) =>
  cast.core.mutate(name, args(cast), cast.person);
const own = (name: string, args: (cast: Cast) => JSONValue) => (cast: Cast) =>
  cast.core.mutate(name, args(cast), cast.executor.identity);
const system = (name: string, args: (core: QueueCore) => JSONValue) => (cast: Cast) =>
  cast.core.mutate(name, args(cast.core));
const claim = ({ jobId, token }: Assigned) => ({ jobId, token });

/** The functions that the queue calls all day, and those of people that change it. */
export const ACTS: Record<string, (cast: Cast) => Acted> = {
  submit: personal("jobs:submit", ({ executor }) => ({
    ...{ repository: "octo/hello", prompt: "x" },
    concurrencyKey: executor.executorId,
  })),
  pass: system("dispatch:pass", (core) => ({ generation: core.generation("dispatcher") })),
  start: own("executors:start", (c) => claim(c.assigned)),
  phase: own("executors:phase", (c) => ({ ...claim(c.running), phase: "running" })),
  heartbeat: own("executors:heartbeat", (c) => ({
    held: [claim(c.assigned), claim(c.running)],
  })),
  append: own("logs:append", (c) => ({
    ...claim(c.running),
    ...{ seq: 0, entries: [{ at: 1, kind: "text", text: "x" }] },
  })),
  finish: own("executors:finish", (c) => succeeded(c.running)),
  fail: own("executors:finish", (c) => ({
    ...claim(c.running),
    outcome: { kind: "failed", reason: "apiError", message: "overloaded" },
    report: { costUsd: 0, turns: 0, permissionDenials: 0, tokens: NO_TOKENS },
  })),
  goOffline: own("executors:goOffline", () => ({})),
  register: own("executors:register", () => ({
    registration: { slots: 8, leaseMs: LEASE_MS, version: "2", cliVersion: "1", labels: [] },
  })),
  drain: personal("executors:drain", (c) => ({ executorId: c.executor.executorId })),
  cancel: personal("jobs:cancel", (c) => ({ jobId: c.running.jobId })),
  cancelHeld: personal("jobs:cancel", (c) => ({ jobId: c.held })),
  requeue: personal("jobs:requeue", (c) => ({ jobId: c.running.jobId })),
  retry: personal("jobs:retry", (c) => ({ jobId: c.canceled })),
  release: personal("jobs:release", (c) => ({ jobId: c.held })),
  snooze: personal("jobs:snooze", (c) => ({
    jobId: c.snoozed,
    until: c.core.nowMs() + 2 * FAR_MS,
  })),
  pause: personal("queue:pause", () => ({ reason: "test" })),
  timer: system("maintenance:wake", (core) => ({ generation: core.generation("timer") })),
  metrics: system("metrics:tick", () => ({})),
  alerts: system("alerts:evaluate", () => ({})),
  selfAudit: system("selfAudit:begin", () => ({})),
};

const NO_TOKENS = { input: 0, output: 0, cacheRead: 0, cacheCreation: 0 };

const seen = (name: string, args: (cast: Cast) => JSONValue) => (cast: Cast) =>
  cast.core.look(name, args(cast), cast.person);
const FIRST_PAGE = { paginationOpts: { numItems: 20, cursor: null } };

/** What executors and people subscribe to. */
export const WATCHES: Record<string, (cast: Cast) => ReturnType<QueueCore["look"]>> = {
  assignments: ({ core, executor }) => core.look("executors:assignments", {}, executor.identity),
  job: seen("jobs:get", (c) => ({ jobId: c.running.jobId })),
  events: seen("jobs:events", (c) => ({ jobId: c.running.jobId })),
  tail: seen("logs:tail", (c) => ({ jobId: c.running.jobId, attempt: 1 })),
  executors: seen("executors:list", () => ({})),
  status: seen("queue:status", () => ({})),
  alerts: seen("alerts:list", () => ({})),
  list: seen("jobs:list", () => FIRST_PAGE),
  now: seen("metrics:now", () => ({})),
  series: seen("metrics:series", () => ({ range: "hour" })),
};
