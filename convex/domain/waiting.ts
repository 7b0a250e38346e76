import type { JobState } from "../protocol/job.js";

/**
 * Which rule keeps a job from running. A job to which a rule applies is not in the queue: it is
 * `waiting` under that rule's name, so that nothing at the head of the queue is ever in the way.
 */

/** What the rules look at; all of it is in the job, but for the gate. */
export type Standing = {
  runAt: number | undefined;
  /** Jobs it comes after that have not ended. */
  unmet: number;
  /** A concurrency limit that is used up. */
  gate: Gate | null;
};

/** A limit that jobs queue up at; `reason` says whether it is used up or closed. */
export type Gate = {
  name: string;
  reason: "concurrency" | "paused" | "credential" | "budget";
  /** When it opens, where that is known. */
  until?: number;
};

export type Admission =
  | { kind: "pending" }
  | { kind: "waiting"; reason: "schedule"; until: number }
  | { kind: "waiting"; reason: "dependency" }
  | { kind: "waiting"; reason: Gate["reason"]; gate: string };

/** The first rule that applies, in their order: time, dependencies, limits. */
export function admit(standing: Standing, now: number): Admission {
  const { runAt, unmet, gate } = standing;
  if (runAt !== undefined && runAt > now) {
    return { kind: "waiting", reason: "schedule", until: runAt };
  }
  if (unmet > 0) return { kind: "waiting", reason: "dependency" };
  if (gate !== null) return { kind: "waiting", reason: gate.reason, gate: gate.name };
  return { kind: "pending" };
}

/** Whether a job in this state may be dispatched, or is: it takes part in its limits. */
export function isInPlay(state: JobState): boolean {
  return state.kind === "pending" || state.kind === "assigned" || state.kind === "running";
}

/** Name of the gate of a concurrency key. */
export const keyGate = (key: string) => `key:${key}`;
/** Name of the gate of a submitter. */
export const submitterGate = (submitter: string) => `submitter:${submitter}`;

/** Whether a gate has no room: closed, or as many run as may. */
export function gateReason(running: number, limit: number): "concurrency" | "paused" | null {
  if (limit === 0) return "paused";
  return running >= limit ? "concurrency" : null;
}
