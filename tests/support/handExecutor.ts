/**
 * An enrolled executor that a test moves by hand: its own key, lease and fencing tokens, and the executor's own
 * functions for talking to the backend. For logs of any size, and for attempts that stop where a test wants.
 */
import { randomUUID } from "node:crypto";
import type { ConvexHttpClient } from "convex/browser";
import { afterAll } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Assignment } from "../../convex/protocol/executor.js";
import type { AttemptReport, Outcome } from "../../convex/protocol/job.js";
import type { LogEntry, LogKind } from "../../convex/protocol/log.js";
import { connectBackend, enrolOver, type Backend } from "../../executor/backend.js";
import { systemClock as clock } from "../../executor/clock.js";
import { loadIdentity } from "../../executor/identity.js";
import { keysOf } from "../../executor/keys.js";
import { createLogger } from "../../executor/logger.js";
import { tempDir } from "./tempDir.js";
import { waitFor } from "./waitFor.js";

/** Longer than any test, so that none of them needs heartbeats. */
const LEASE_MS = 600_000;
const logger = createLogger({ level: "error", write: () => undefined, redact: (text) => text });
const REPORT: AttemptReport = {
  costUsd: 0.01,
  tokens: { input: 10, output: 20, cacheRead: 0, cacheCreation: 0 },
  turns: 1,
  permissionDenials: 0,
};

const open: Backend[] = [];
afterAll(async () => {
  for (const backend of open.splice(0)) await backend.close();
});

export type HandAttempt = {
  /** Sends entries that follow those sent before. */
  log(entries: readonly (Omit<LogEntry, "at"> & { at?: number })[]): Promise<void>;
  /** The same for one entry of each text. */
  say(kind: LogKind, ...texts: string[]): Promise<void>;
  finish(outcome: Outcome, report?: Partial<AttemptReport>): Promise<void>;
};
export type HandExecutor = { take(jobId: string): Promise<HandAttempt> };

/** Joins a deployment under this name, with room for so many attempts. */
export async function handExecutor(
  administrator: ConvexHttpClient,
  { url, name, slots }: { url: string; name: string; slots: number },
): Promise<HandExecutor> {
  const stateDir = tempDir("hand");
  const { token } = await administrator.mutation(api.executors.createEnrolment, { label: name });
  const enrol = enrolOver(url);
  const identity = await loadIdentity({ stateDir, name, enrolToken: token, enrol });
  const boot = { id: randomUUID(), at: clock.now() };
  const keys = keysOf(identity, { stateDir, boot, clock });
  const backend = connectBackend({ url, clock, logger, keys, onFinal: () => undefined });
  open.push(backend);
  const versions = { version: "0.0.0", cliVersion: "0.0.0", labels: [] };
  await backend.register({ slots, leaseMs: LEASE_MS, ...versions });
  let assignments: readonly Assignment[] = [];
  backend.watchAssignments((now) => (assignments = now));
  return {
    take: async (jobId) => {
      const { token: fence } = await waitFor("the assignment", () =>
        assignments.find((each) => each.jobId === jobId),
      );
      // An assignment names its job by an id of the same table.
      return attemptOf(backend, { jobId: jobId as Assignment["jobId"], token: fence });
    },
  };
}

async function attemptOf(
  backend: Backend,
  held: Pick<Assignment, "jobId" | "token">,
): Promise<HandAttempt> {
  await backend.start(held);
  await backend.phase(held, { phase: "running", spawnedAt: clock.now() });
  let seq = 0;
  const log: HandAttempt["log"] = async (entries) => {
    const stamped = entries.map((entry) => ({ at: clock.now(), ...entry }));
    ({ nextSeq: seq } = await backend.appendLog(held, seq, stamped));
  };
  return {
    log,
    say: (kind, ...texts) => log(texts.map((text) => ({ kind, text }))),
    finish: (outcome, report = {}) =>
      backend.finish(held, { outcome, report: { ...REPORT, ...report } }),
  };
}
