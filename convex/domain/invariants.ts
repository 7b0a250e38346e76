import type { JobState } from "../protocol/job.js";
import { OUTBOX_AGE_MS_MAX } from "../protocol/limits.js";
import type { Invariant, Violation } from "../protocol/selfAudit.js";
import { isAsking, isHeld, isTerminal, rowOf } from "./lifecycle.js";

/**
 * What must hold, checked over rows that were read in one transaction. No ctx and no clock: the cron,
 * the live query and the tests call the same functions over what each of them read.
 */

/** A deadline, lease, pass or delivery may be this late before it counts as missed. */
const LATE_MS = 3 * 60_000;

type Found = (invariant: Invariant, detail: string) => void;

/** Collects what checks find at one row. */
function collect(id: string, check: (found: Found) => void): Violation[] {
  const violations: Violation[] = [];
  check((invariant, detail) => violations.push({ invariant, id, detail }));
  return violations;
}

export type SeenAttempt = {
  attempt: number;
  token: number;
  isLive: boolean;
};

export type SeenJob = {
  id: string;
  state: JobState;
  attempt: number;
  token: number;
  slot?: number | undefined;
  /** It is marked as one that limits count. */
  isMarkedHeld: boolean;
  /** Prerequisites it says to have, and those there are rows of. */
  unmet: number;
  prerequisites: number;
  isReady: boolean;
  deadlineAt?: number | undefined;
  isCancelRequested: boolean;
  charged: number;
  interruptions: number;
  events: number;
  /** Its latest attempts, newest first. */
  attempts: readonly SeenAttempt[];
  /** The event numbered events - 1; and whether there is one numbered events. */
  lastEvent: null | { to: string };
  hasLaterEvent: boolean;
  /** Questions of its runs that wait for a person. */
  openQuestions: number;
  /** Commands of people that no run took up yet. */
  openCommands: number;
  hasPrompt: boolean;
  /** Of the executor that holds it. */
  executor: null | { presence: string; hasLease: boolean };
};

/** Checks a job with what belongs to it. */
export function checkJob(job: SeenJob, now: number): Violation[] {
  return collect(job.id, (found) => {
    checkAttempts(job, found);
    checkHolding(job, found);
    checkFields(job, found);
    checkTimeline(job, found);
    if (job.openQuestions !== (isAsking(job.state) ? 1 : 0)) {
      const row = rowOf(job.state, job.isCancelRequested);
      found("questionsOpen", `It is ${row} and has ${job.openQuestions} open questions.`);
    }
    if (isTerminal(job.state.kind) && job.openCommands > 0) {
      found(
        "commandsSettled",
        `It is ${job.state.kind} and has ${job.openCommands} open commands.`,
      );
    }
    if (!job.hasPrompt) found("referencesHold", "Its prompt is gone.");
    if (job.charged + job.interruptions > job.attempt) {
      found(
        "countsAdd",
        `${job.charged} charged and ${job.interruptions} interrupted of ${job.attempt} attempts.`,
      );
    }
    if (job.deadlineAt !== undefined && job.deadlineAt + LATE_MS < now) {
      found("deadlineKept", `Its deadline passed ${now - job.deadlineAt} ms ago.`);
    }
  });
}

function checkAttempts(job: SeenJob, found: Found): void {
  const { state, attempts } = job;
  const live = attempts.filter((attempt) => attempt.isLive);
  if (!isHeld(state)) {
    if (live.length > 0) found("oneLiveAttempt", `It is ${state.kind} and has a live attempt.`);
  } else {
    if (live.length !== 1) {
      found("oneLiveAttempt", `It is ${state.kind} and has ${live.length} live attempts.`);
    }
    if (job.executor?.presence !== "online" || !job.executor.hasLease) {
      found("leaseBehindAttempt", `Executor ${state.executorId} is not online with a lease.`);
    }
  }
  if (
    (attempts.length === 0 && job.attempt > 0) ||
    attempts.some(({ attempt }, i) => attempt !== job.attempt - i)
  ) {
    const numbers = attempts.map(({ attempt }) => attempt).join(", ");
    found("attemptsDense", `It is at attempt ${job.attempt}; there are records of ${numbers}.`);
  }
  const tokens = [job.token, ...attempts.map((attempt) => attempt.token)];
  const isGrowing = tokens.every((token, i) => {
    const older = tokens[i + 1];
    // The job's own token is that of its live attempt, and above that of an ended one.
    return older === undefined || (i === 0 && isHeld(state) ? token >= older : token > older);
  });
  if (!isGrowing) found("tokensGrow", `The tokens, newest first, are ${tokens.join(", ")}.`);
}

/** What a job has while an executor holds it, and at no other time. */
function checkHolding(job: SeenJob, found: Found): void {
  const { state } = job;
  if (isHeld(state) !== (job.slot !== undefined)) {
    const has = job.slot === undefined ? "no slot" : `slot ${job.slot}`;
    found(
      isHeld(state) ? "stateHasItsFields" : "restHoldsNothing",
      `It is ${state.kind} with ${has}.`,
    );
  }
  if (job.isMarkedHeld !== isHeld(state)) {
    const mark = job.isMarkedHeld ? "counted by limits" : "not counted by limits";
    found(
      isHeld(state) ? "stateHasItsFields" : "restHoldsNothing",
      `It is ${state.kind} and ${mark}.`,
    );
  }
}

function checkFields(job: SeenJob, found: Found): void {
  const { state } = job;
  const isOver = isTerminal(state.kind);
  if (!isOver && job.unmet !== job.prerequisites) {
    found(
      "prerequisitesCounted",
      `It counts ${job.unmet} prerequisites and has ${job.prerequisites}.`,
    );
  }
  if (isOver && (job.isReady || job.deadlineAt !== undefined || job.isCancelRequested)) {
    found(
      "restHoldsNothing",
      `It is ${state.kind} with a place, a deadline or a request to cancel.`,
    );
  }
  if (state.kind === "pending" && !job.isReady) {
    found("stateHasItsFields", "It is pending without a place in the queue.");
  }
  const mustEnd = isHeld(state) || state.kind === "backoff" || isAsking(state);
  if (mustEnd && job.deadlineAt === undefined) {
    found("stateHasItsFields", `It is ${state.kind} without a deadline.`);
  }
}

function checkTimeline(job: SeenJob, found: Found): void {
  const row = rowOf(job.state, job.isCancelRequested);
  if (job.lastEvent === null || job.hasLaterEvent) {
    found("timelineDense", `It counts ${job.events} events, and others are there.`);
  } else if (job.lastEvent.to !== row) {
    found("timelineDense", `Its last event leads to ${job.lastEvent.to}; it is ${row}.`);
  }
}

export type SeenExecutor = {
  /** What its lease repeats of its row is the same there. */
  isKnownToLease: boolean;
  id: string;
  presence: string;
  /** It may be given work: Slots.isOpen. */
  isOpen: boolean;
  slots: number;
  free: readonly number[];
  /** Ordinals of the slots of the jobs it holds. */
  used: readonly number[];
  owed: readonly number[];
  /** Ends of its leases. */
  leases: readonly number[];
};

/** Checks an executor: its slots and its lease. */
export function checkExecutor(executor: SeenExecutor, now: number): Violation[] {
  const { presence, slots, free, used, owed, leases } = executor;
  return collect(executor.id, (found) => {
    const isOnline = presence === "online";
    if (leases.length !== (isOnline ? 1 : 0)) {
      found("leaseOfOnline", `It is ${presence} and has ${leases.length} leases.`);
    }
    if (!executor.isKnownToLease) found("leaseOfOnline", "Its lease says other than its row does.");
    for (const expiresAt of leases) {
      if (expiresAt + LATE_MS < now) {
        found("deadlineKept", `Its lease ran out ${now - expiresAt} ms ago.`);
      }
    }
    const all = [...free, ...used, ...owed];
    if (new Set(all).size !== all.length) {
      found(
        "slotsConserved",
        `A slot comes twice: free ${String(free)}; used ${String(used)}; owed ${String(owed)}.`,
      );
    }
    if (executor.isOpen) {
      const missing = Array.from({ length: slots }, (_, i) => i).filter((i) => !all.includes(i));
      if (missing.length > 0)
        found("slotsConserved", `Of ${slots} slots ${String(missing)} are nowhere.`);
      if (free.some((i) => i >= slots))
        found("slotsConserved", `More slots are free than ${slots}.`);
    } else if (free.length > 0) {
      found("slotsConserved", `It takes no work and has ${free.length} free slots.`);
    }
  });
}

/** Checks that the owner of a slot or a lease is there. */
export function checkStray(id: string, hasExecutor: boolean): Violation[] {
  return hasExecutor ? [] : [{ invariant: "strays", id, detail: "Its executor is gone." }];
}

export type SeenLog = {
  id: string;
  nextSeq: number;
  sealedChunks: number;
  tailSeq: number;
  tailLength: number;
  dropped: number;
  /** Chunks that follow each other, up to the last one; `isWhole`: from the first one on. */
  chunks: readonly { index: number; firstSeq: number; length: number }[];
  isWhole: boolean;
};

/** Checks that a log has no gap and no overlap. */
export function checkLog(log: SeenLog): Violation[] {
  return collect(log.id, (found) => {
    const { chunks, sealedChunks, tailSeq, nextSeq } = log;
    const first = chunks[0];
    let seq = log.isWhole ? 0 : (first?.firstSeq ?? tailSeq);
    let index = log.isWhole ? 0 : (first?.index ?? sealedChunks);
    for (const chunk of chunks) {
      if (chunk.index !== index || chunk.firstSeq !== seq) {
        found(
          "logDense",
          `Chunk ${chunk.index} begins at ${chunk.firstSeq}; chunk ${index} at ${seq} was due.`,
        );
      }
      index = chunk.index + 1;
      seq = chunk.firstSeq + chunk.length;
    }
    if (index !== sealedChunks || seq !== tailSeq) {
      found(
        "logDense",
        `The chunks end at ${seq} (${index}), the tail begins at ${tailSeq} (${sealedChunks}).`,
      );
    }
    if (tailSeq + log.tailLength + log.dropped !== nextSeq) {
      found(
        "logDense",
        `The tail ends at ${tailSeq + log.tailLength}, ${log.dropped} were dropped, ${nextSeq} is next.`,
      );
    }
  });
}

/** Checks counters of live states against a recount at the same moment. */
export function checkCounters(
  counters: Readonly<Record<string, number>>,
  recount: Readonly<Record<string, number>>,
): Violation[] {
  return Object.keys({ ...counters, ...recount }).flatMap((state) => {
    const [counted, there] = [counters[state] ?? 0, recount[state] ?? 0];
    if (counted === there) return [];
    const detail = `${counted} jobs are counted as ${state}; ${there} are.`;
    return [{ invariant: "countersRight" as const, id: state, detail }];
  });
}

export type SeenSystem = {
  dispatchers: readonly { status: string; since: number }[];
  hasPending: boolean;
  hasFreeSlot: boolean;
  timers: readonly { nextAt: number | null }[];
  /** The first of all deadlines, ends of leases and times of schedules; Infinity when there is none. */
  firstDeadline: number;
};

/** Checks that the two chains live: each has one row, and neither has missed what it is for. */
export function checkSystem(system: SeenSystem, now: number): Violation[] {
  const { dispatchers, hasPending, hasFreeSlot, timers, firstDeadline } = system;
  const ofDispatcher = collect("dispatcher", (found) => {
    const [row] = dispatchers;
    if (dispatchers.length > 1) found("dispatcherAwake", `There are ${dispatchers.length} of it.`);
    if (row?.status === "scheduled" && row.since + LATE_MS < now) {
      found("dispatcherAwake", `Its pass was due ${now - row.since} ms ago.`);
    }
    const isAsleep = row?.status === "needsJobs" || row?.status === "needsSlots";
    if ((row === undefined || isAsleep) && hasPending && hasFreeSlot) {
      found(
        "dispatcherAwake",
        `It sleeps (${row?.status ?? "no row"}) while a job and a slot wait.`,
      );
    }
  });
  const ofTimer = collect("timer", (found) => {
    const nextAt = timers[0]?.nextAt ?? Infinity;
    if (timers.length > 1) found("timerArmed", `There are ${timers.length} of it.`);
    if (nextAt > firstDeadline) {
      found("timerArmed", `It fires at ${nextAt}, after the first deadline at ${firstDeadline}.`);
    }
    if (nextAt + LATE_MS < now) found("timerArmed", `It was to fire ${now - nextAt} ms ago.`);
  });
  return [...ofDispatcher, ...ofTimer];
}

/** Checks a budget: what it has set aside, against its reservations, each of an attempt that runs or is to be settled. */
export function checkBudget(budget: {
  id: string;
  reserved: number;
  holds: readonly { amount: number; isAccountedFor: boolean }[];
}): Violation[] {
  return collect(budget.id, (found) => {
    const sum = budget.holds.reduce((total, each) => total + each.amount, 0);
    if (sum !== budget.reserved) {
      found("reservationsInFlight", `It has ${budget.reserved} set aside; its rows make ${sum}.`);
    }
    const stray = budget.holds.filter((each) => !each.isAccountedFor).length;
    if (stray > 0)
      found("reservationsInFlight", `${stray} reservations are of no attempt under way.`);
  });
}

/** Checks a message that is on its way. */
export function checkMessage(
  message: { id: string; at: number; dueAt: number },
  now: number,
): Violation[] {
  return collect(message.id, (found) => {
    if (message.at + OUTBOX_AGE_MS_MAX < now) {
      found("outboxMoves", `It was written ${now - message.at} ms ago.`);
    } else if (message.dueAt + LATE_MS < now) {
      found("outboxMoves", `Its attempt was due ${now - message.dueAt} ms ago.`);
    }
  });
}
