/** Other jobs, of every state, put into a deployment by the thousand: none of them is anybody's turn. */
import type { Value } from "convex/values";
import type { Backend } from "../../../embedded/functions/backend.js";
import type { Transaction } from "../../../embedded/engine/transaction.js";

const JOBS_PER_COMMIT = 1_000;
/** What an executor may have slots for. */
const SLOTS = 32;
/** Nothing of them is due while the bench runs; scheduled functions may be five years away at most. */
const FAR_MS = 4 * 365 * 86_400_000;
const STATES = [
  "pending",
  "waiting",
  "assigned",
  "running",
  "backoff",
  "succeeded",
  "failed",
  "canceled",
] as const;
type State = (typeof STATES)[number];

/**
 * Writes what is in the tables once so many jobs were submitted and have come as far as they have. The
 * pending ones ask for a label that nobody has; those that executors hold fill all slots of theirs.
 */
export async function crowd({ engine }: Backend, jobs: number): Promise<void> {
  const holders: Record<string, { id: string; used: number }> = {};
  for (let from = 0; from < jobs; from += JOBS_PER_COMMIT) {
    await engine.transact((tx) => {
      const promptId = tx.insert("prompts", { text: "Mend the tests of the parser. ".repeat(10) });
      for (let n = from; n < Math.min(jobs, from + JOBS_PER_COMMIT); n += 1) {
        add(tx, { n, promptId, holders, now: engine.clock.nowMs() });
      }
    });
  }
  await engine.transact((tx) => {
    tx.insert("rollUp", {
      generation: 0,
      ts: engine.latestTs(),
      creationTime: engine.clock.nowMs(),
      states: {},
      rolledAt: engine.clock.nowMs(),
      sample: { pending: 0, held: 0, oldestMs: 0, executors: 0, slots: 0 },
      isBehind: false,
    });
    tx.insert("timer", { nextAt: engine.clock.nowMs() + FAR_MS, generation: 0 });
  });
}

type One = {
  n: number;
  promptId: string;
  holders: Record<string, { id: string; used: number }>;
  now: number;
};

function add(tx: Transaction, { n, promptId, holders, now }: One): void {
  const kind = STATES[n % STATES.length] ?? "pending";
  const isHeld = kind === "assigned" || kind === "running";
  const executorId = isHeld ? holderOf(tx, holders, { kind, now }) : undefined;
  const name = `repository-${n % 1_000}`;
  const repository = { kind: "remote", host: "github.com", owner: "octo", name };
  const jobId = tx.insert("jobs", {
    spec: { repository, ref: "HEAD", limits: {} },
    promptId,
    submittedBy: `user:person-${n % 100}`,
    priority: n % 10,
    lane: kind === "pending" ? "nobody-has-this" : "",
    concurrencyKey: `github.com/octo/${name}#${n}`,
    state: stateOf(kind, { now, executorId }),
    rank: 0,
    ...placeOf(kind, { n, now }),
    ...(kind === "pending" || kind === "waiting" ? NOT_TRIED : TRIED),
    attemptsMax: 3,
    charged: isOver(kind) ? 1 : 0,
    interruptions: 0,
    failures: [],
    events: 1,
  });
  const who = { actor: "user:crowd", attempt: 0, token: 0 };
  const what = { cause: "submit", from: "none", to: kind, at: now };
  tx.insert("events", { jobId, seq: 0, ts: BigInt(n + 1), ...what, ...who });
  if (!isOver(kind)) return;
  const end = { at: now, kind, charged: true };
  const record = { sessionId: "s", phases: [], finishedByExecutor: true, end };
  const whose = { jobId, executorId: jobId, assignedAt: now };
  tx.insert("attempts", { ...whose, ...TRIED, ...record });
}

const NOT_TRIED = { attempt: 0, token: 0 };
const TRIED = { attempt: 1, token: 1 };

/** What only some states have. */
function placeOf(kind: State, { n, now }: { n: number; now: number }): Record<string, Value> {
  switch (kind) {
    case "pending":
      return { readyTs: BigInt(n + 1) };
    case "waiting":
    case "backoff":
      return { deadlineAt: now + FAR_MS };
    case "assigned":
    case "running": {
      const live = { sessionId: "s", phases: [] };
      return { deadlineAt: now + FAR_MS, held: true, slot: n % SLOTS, live };
    }
    case "succeeded":
    case "failed":
    case "canceled":
      return {};
  }
}

const isOver = (kind: State): boolean =>
  kind === "succeeded" || kind === "failed" || kind === "canceled";

function stateOf(kind: State, at: { now: number; executorId: string | undefined }): Value {
  const { now, executorId = "" } = at;
  switch (kind) {
    case "pending":
      return { kind };
    case "waiting":
      return { kind, reason: "schedule", since: now, until: now + FAR_MS };
    case "assigned":
      return { kind, executorId, assignedAt: now };
    case "running":
      return { kind, executorId, assignedAt: now, startedAt: now, phase: "running" };
    case "backoff":
      return { kind, runAt: now + FAR_MS, reason: "apiError" };
    case "failed":
      return { kind, endedAt: now, reason: "cliError" };
    case "succeeded":
    case "canceled":
      return { kind, endedAt: now };
  }
}

/** The executor that has a slot for one more. */
function holderOf(
  tx: Transaction,
  holders: Record<string, { id: string; used: number }>,
  { kind, now }: { kind: string; now: number },
): string {
  const holder = holders[kind];
  if (holder !== undefined && holder.used < SLOTS) {
    holder.used += 1;
    return holder.id;
  }
  const publicJwk = { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) };
  const standing = { presence: "online", presenceSince: now, unhealthy: null, draining: false };
  const versions = { version: "0.1.0", cliVersion: "2.1.197", labels: [] };
  const id = tx.insert("executors", {
    ...{
      name: `crowd-${kind}`,
      publicJwk,
      revoked: false,
      epoch: 0,
      slots: SLOTS,
      leaseMs: 60_000,
    },
    ...standing,
    ...versions,
  });
  tx.insert("leases", { executorId: id, expiresAt: now + FAR_MS, owed: [] });
  holders[kind] = { id, used: 1 };
  return id;
}
