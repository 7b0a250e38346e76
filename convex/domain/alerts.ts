import {
  type AlertSettings,
  type Disk,
  type MessageKind,
  RULE_NAMES,
  type RuleName,
  SEVERITIES,
  type Severity,
} from "../protocol/alerts.js";
import type { FailureReason } from "../protocol/job.js";
import type { Checked } from "./checked.js";
import { passed, refused } from "./checked.js";
import { fits, labelsOf } from "./labels.js";

/** What a rule is beside its condition. */
type Rule = {
  severity: Severity;
  /** Heading of docs/runbook.md, as its anchor. */
  runbook: string;
  /** How long the condition must hold before anybody is told. */
  forMs: number;
  /** How long it must be gone before the alert is resolved: what flickers is told once. */
  clearMs: number;
};

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export const RULES: Record<RuleName, Rule> = {
  noExecutor: rule("P1", "no-executor-takes-work", [2 * MINUTE, MINUTE]),
  queueStuck: rule("P1", "the-queue-is-stuck", [2 * MINUTE, 2 * MINUTE]),
  errorRate: rule("P2", "many-attempts-fail", [0, 10 * MINUTE]),
  reclaims: rule("P2", "attempts-are-reclaimed", [0, 15 * MINUTE]),
  spend: rule("P2", "the-days-budget-is-spent", [0, 5 * MINUTE]),
  selfAudit: rule("P2", "the-self-audit-is-red", [0, 0]),
  zombie: rule("P2", "two-processes-have-one-key", [0, 10 * MINUTE]),
  disk: rule("P2", "an-executors-disk-is-full", [2 * MINUTE, 10 * MINUTE]),
  labelsMissing: rule("P3", "nobody-carries-a-jobs-labels", [5 * MINUTE, 2 * MINUTE]),
  credentials: rule("P3", "an-executors-credentials-fail", [0, MINUTE]),
  executorUnhealthy: rule("P3", "an-executor-is-unhealthy", [0, MINUTE]),
  executorLost: rule("P3", "an-executor-is-lost", [5 * MINUTE, 2 * MINUTE]),
  slowQueue: rule("P3", "jobs-wait-long", [5 * MINUTE, 10 * MINUTE]),
  setAside: rule("P3", "something-was-set-aside", [0, 10 * MINUTE]),
  spendNear: rule("P4", "the-days-budget-is-nearly-spent", [0, 5 * MINUTE]),
  rollUpBehind: rule("P4", "metrics-are-behind", [5 * MINUTE, 2 * MINUTE]),
  webhookFailing: rule("P4", "alerts-do-not-get-through", [0, 30 * MINUTE]),
};

function rule(severity: Severity, runbook: string, [forMs, clearMs]: [number, number]): Rule {
  return { severity, runbook, forMs, clearMs };
}

export const SETTINGS_DEFAULT: AlertSettings = {
  spendDailyUsd: null,
  errorShare: 0.5,
  reclaims: 5,
  slowMs: 30 * MINUTE,
  diskShare: 0.1,
  muted: [],
};

/** Ended attempts below which a share of failures says nothing. */
const ERROR_ATTEMPTS_MIN = 5;
/** A condition counts as gone once its figure is below this share of what raises it. */
const CLEAR_SHARE = 0.5;
/** Free space must exceed its limit by this factor to count as enough again. */
const DISK_CLEAR_FACTOR = 1.5;
const SPEND_NEAR_SHARE = 0.8;
const STUCK_MS = 5 * MINUTE;
/** A dispatcher's pass runs at once; the net revives it after half a minute. */
const PASS_LATE_MS = MINUTE;
/** Sets of labels that an alert names. */
const LANES_SHOWN = 3;
const ROLL_UP_LATE_MS = 5 * MINUTE;
/** Lost longer than this, an executor is taken for one that is gone for good. */
const LOST_MS_MAX = 24 * HOUR;

/** An executor as the rules see it. */
type SeenExecutor = {
  id: string;
  name: string;
  presence: "online" | "lost";
  presenceSince: number;
  /** Online, not draining, not revoked, healthy. */
  takesWork: boolean;
  /** Its labels as one text. */
  pool: string;
  unhealthy: null | { reason: FailureReason; since: number };
  disk?: Disk;
};

/** A budget as the rules see it, in its present period. */
type SeenBudget = { id: string; name: string; spentUsd: number; limitUsd: number; waiting: number };

/** All that the rules look at: rows read within bounds, at one moment. */
export type Snapshot = {
  now: number;
  pending: number;
  /** How long the first pending job has been pending, ms; 0 without one. */
  oldestMs: number;
  hasFreeSlot: boolean;
  /** A pending job and a free slot that may have it. */
  hasFit: boolean;
  /** Labels that pending jobs ask for, each set as one text; of the lanes that one look takes. */
  lanes: string[];
  dispatcher: null | { status: string; since: number };
  executors: SeenExecutor[];
  /** The last quarter of an hour. */
  recent: { ended: number; failed: number; reclaimed: number };
  /** Assignments in the last five minutes. */
  assignedLately: number;
  spentTodayUsd: number;
  budgets: SeenBudget[];
  rollUp: null | { rolledAt: number; isBehind: boolean };
  audit: null | { violations: number; first: string };
  /** Jobs that could not be assigned and deadlines that could not be acted on, in the last hour. */
  setAside: { count: number; last: string };
  /** The same of processes that took one identity from each other again and again. */
  zombies: { count: number; last: string };
  /** Messages given up within the last hour. */
  failedDeliveries: number;
  /** Credentials of the deployment that the API refuses. */
  failingCredentials: { id: string; label: string; message: string }[];
};

/**
 * What a rule finds. `bad` raises an alert; `unclear` raises none and resolves none. What a rule does
 * not mention is well.
 */
export type Finding = {
  key: string;
  rule: RuleName;
  severity: Severity;
  state: "bad" | "unclear";
  title: string;
  detail: string;
};

/** Applies every rule that is not muted. */
export function evaluate(snapshot: Snapshot, settings: AlertSettings): Finding[] {
  const found = [
    ...queueRules(snapshot, settings),
    ...rateRules(snapshot, settings),
    ...spendRules(snapshot, settings),
    ...snapshot.executors.flatMap((executor) =>
      // One alert for each executor that something is wrong with.
      executorRules(executor, snapshot, settings).map((finding) => ({
        ...finding,
        key: `${finding.rule}:${executor.id}`,
      })),
    ),
    ...snapshot.failingCredentials.map(({ id, label, message }) => {
      const detail = `The API refused it: ${message} Nobody is given it until it is set anew or enabled.`;
      const finding = bad("credentials", `The credential ${label} fails`, detail);
      return { ...finding, key: `credentials:${id}` };
    }),
    ...selfRules(snapshot),
  ];
  return found.filter((finding) => !settings.muted.includes(finding.rule));
}

function queueRules(s: Snapshot, settings: AlertSettings): Finding[] {
  if (s.pending === 0) return [];
  const found: Finding[] = [];
  const waiting = `${s.pending} jobs wait, the first for ${minutes(s.oldestMs)}.`;
  const hasTaker = s.executors.some((executor) => executor.takesWork);
  if (!hasTaker) found.push(bad("noExecutor", "No executor takes work while jobs wait", waiting));
  if (isStuck(s)) {
    const status = s.dispatcher?.status ?? "not there";
    const free = s.hasFreeSlot ? "Slots are free" : "No slot is free";
    const detail = `${waiting} ${free}; the dispatcher's status is ${status}.`;
    found.push(bad("queueStuck", "Jobs wait and none is assigned", detail));
  }
  const unserved = s.lanes.filter((lane) => !isServed(lane, s.executors));
  if (hasTaker && unserved.length > 0) {
    const shown = unserved.slice(0, LANES_SHOWN).map((lane) => labelsOf(lane).join(", "));
    const detail = `Nobody online who takes work carries all of: ${shown.join("; ")}.`;
    found.push(bad("labelsMissing", "Jobs ask for labels that no executor carries", detail));
  }
  const isPaused = s.dispatcher?.status === "paused";
  if (hasTaker && !isPaused && s.oldestMs >= settings.slowMs * CLEAR_SHARE) {
    const finding = bad("slowQueue", "Jobs wait long for a slot", waiting);
    found.push(s.oldestMs >= settings.slowMs ? finding : { ...finding, state: "unclear" });
  }
  return found;
}

function isServed(lane: string, executors: readonly SeenExecutor[]): boolean {
  return executors.some(({ takesWork, pool }) => takesWork && fits(lane, pool));
}

/**
 * A pass that does not come, or slots that stay free beside jobs that fit them. A pause or a limit that
 * operators set is no fault, nor are labels that no free slot has.
 */
function isStuck(s: Snapshot): boolean {
  const status = s.dispatcher?.status;
  if (status === "paused" || status === "needsRoom") return false;
  const isLate = s.dispatcher !== null && s.now - s.dispatcher.since > PASS_LATE_MS;
  const isIdle = s.hasFit && s.assignedLately === 0 && s.oldestMs >= STUCK_MS;
  return (status === "scheduled" && isLate) || isIdle;
}

function rateRules({ recent }: Snapshot, settings: AlertSettings): Finding[] {
  const found: Finding[] = [];
  const share = recent.ended === 0 ? 0 : recent.failed / recent.ended;
  const errors = `${recent.failed} of ${recent.ended} attempts failed within a quarter of an hour.`;
  const isEnough = recent.ended >= ERROR_ATTEMPTS_MIN;
  if (share >= settings.errorShare * CLEAR_SHARE && recent.failed > 0) {
    const finding = bad("errorRate", "Many attempts fail", errors);
    const isBad = isEnough && share >= settings.errorShare;
    found.push(isBad ? finding : { ...finding, state: "unclear" });
  }
  if (recent.reclaimed >= settings.reclaims * CLEAR_SHARE) {
    const detail = `${recent.reclaimed} attempts were taken back within a quarter of an hour.`;
    const finding = bad("reclaims", "Attempts are taken back from executors", detail);
    found.push(recent.reclaimed >= settings.reclaims ? finding : { ...finding, state: "unclear" });
  }
  return found;
}

/** The amount set for the alert alone, and each budget. */
function spendRules(snapshot: Snapshot, settings: AlertSettings): Finding[] {
  return [...dayRules(snapshot, settings), ...snapshot.budgets.flatMap(budgetRules)];
}

function budgetRules({ id, name, spentUsd, limitUsd, waiting }: SeenBudget): Finding[] {
  if (spentUsd < limitUsd * SPEND_NEAR_SHARE) return [];
  const more = waiting === 0 ? "" : ` ${waiting} jobs wait for room.`;
  const detail = `$${spentUsd.toFixed(2)} of $${limitUsd.toFixed(2)} are spent.${more}`;
  const finding =
    spentUsd >= limitUsd
      ? bad("spend", `The budget of ${name} is spent`, detail)
      : bad("spendNear", `The budget of ${name} is nearly spent`, detail);
  return [{ ...finding, key: `${finding.rule}:${id}` }];
}

function dayRules({ spentTodayUsd }: Snapshot, { spendDailyUsd }: AlertSettings): Finding[] {
  if (spendDailyUsd === null || spentTodayUsd < spendDailyUsd * SPEND_NEAR_SHARE) return [];
  const detail = `$${spentTodayUsd.toFixed(2)} of $${spendDailyUsd.toFixed(2)} were spent today (UTC).`;
  return spentTodayUsd >= spendDailyUsd
    ? [bad("spend", "The day's budget is spent", detail)]
    : [bad("spendNear", "The day's budget is nearly spent", detail)];
}

function executorRules(
  executor: SeenExecutor,
  { now }: Snapshot,
  settings: AlertSettings,
): Finding[] {
  const found: Finding[] = [];
  const { name, unhealthy, disk } = executor;
  const lostMs = now - executor.presenceSince;
  if (executor.presence === "lost" && lostMs <= LOST_MS_MAX) {
    const detail = `Its lease ran out ${minutes(lostMs)} ago, and it has not come back.`;
    found.push(bad("executorLost", `Executor ${name} is lost`, detail));
  }
  if (executor.presence === "online" && unhealthy !== null) {
    const detail = `Its attempts failed with ${unhealthy.reason}; it gets no work until it registers again or is resumed.`;
    found.push(
      unhealthy.reason === "cliAuth"
        ? bad("credentials", `The credentials of executor ${name} fail`, detail)
        : bad("executorUnhealthy", `Executor ${name} is unhealthy`, detail),
    );
  }
  if (executor.presence === "online" && disk !== undefined && disk.totalBytes > 0) {
    const share = disk.freeBytes / disk.totalBytes;
    const detail = `${percent(share)} of its disk are free (${gigabytes(disk.freeBytes)} of ${gigabytes(disk.totalBytes)}).`;
    const finding = bad("disk", `The disk of executor ${name} is nearly full`, detail);
    if (share < settings.diskShare) found.push(finding);
    else if (share < settings.diskShare * DISK_CLEAR_FACTOR) {
      found.push({ ...finding, state: "unclear" });
    }
  }
  return found;
}

/** Rules about the product's own parts. */
function selfRules(s: Snapshot): Finding[] {
  const found: Finding[] = [];
  if (s.audit !== null && s.audit.violations > 0) {
    const detail = `${s.audit.violations} violations; the first: ${s.audit.first}`;
    found.push(bad("selfAudit", "The self-audit found what must not be", detail));
  }
  if (s.rollUp !== null && (s.rollUp.isBehind || s.now - s.rollUp.rolledAt > ROLL_UP_LATE_MS)) {
    const detail = `The roll-up last ran ${minutes(s.now - s.rollUp.rolledAt)} ago${s.rollUp.isBehind ? " and left events over" : ""}.`;
    found.push(bad("rollUpBehind", "Metrics are behind", detail));
  }
  if (s.zombies.count > 0) {
    const detail = `${s.zombies.count} within an hour; the last: ${s.zombies.last}`;
    found.push(bad("zombie", "Two processes fight over the identity of one executor", detail));
  }
  if (s.setAside.count > 0) {
    const detail = `${s.setAside.count} within an hour; the last: ${s.setAside.last}`;
    found.push(bad("setAside", "Jobs or deadlines failed and were set aside", detail));
  }
  if (s.failedDeliveries > 0) {
    const detail = `${s.failedDeliveries} messages were given up within an hour.`;
    found.push(bad("webhookFailing", "Alerts do not get through to the webhook", detail));
  }
  return found;
}

function bad(name: RuleName, title: string, detail: string): Finding {
  return { key: name, rule: name, severity: RULES[name].severity, state: "bad", title, detail };
}

/** What is kept of an alert that is alive. */
export type Live = {
  key: string;
  rule: RuleName;
  severity: Severity;
  title: string;
  detail: string;
  status: "pending" | "open";
  since: number;
  openedAt?: number;
  clearSince?: number;
};

/** What becomes of one key; `tell` is the message to send with it. */
export type Change =
  | { kind: "begin" | "keep"; alert: Live; tell?: MessageKind }
  | { kind: "resolve"; alert: Live; tell: MessageKind }
  /** The condition went before its time came: nobody was told, nothing stays. */
  | { kind: "forget"; alert: Live };

/** One step of all alerts. Every finding and every live alert leads to at most one change. */
export function step(live: readonly Live[], findings: readonly Finding[], now: number): Change[] {
  const byKey = new Map(live.map((alert) => [alert.key, alert]));
  const changes = findings.flatMap((finding) => {
    const alert = byKey.get(finding.key);
    if (alert === undefined) return finding.state === "bad" ? [begin(finding, now)] : [];
    return [goOn(alert, finding, now)];
  });
  const found = new Set(findings.map((finding) => finding.key));
  const gone = live.filter((alert) => !found.has(alert.key)).map((alert) => clear(alert, now));
  return [...changes, ...gone];
}

function begin(finding: Finding, now: number): Change {
  const { key, rule: name, severity, title, detail } = finding;
  const fields = { key, rule: name, severity, title, detail };
  const alert: Live = { ...fields, status: "pending", since: now };
  return opened(alert, now) ?? { kind: "begin", alert };
}

/** The alert as open, if its condition has held for long enough. */
function opened(alert: Live, now: number): Change | null {
  if (now - alert.since < RULES[alert.rule].forMs) return null;
  const kind = alert.since === now ? "begin" : "keep";
  return { kind, alert: { ...alert, status: "open", openedAt: now }, tell: "opened" };
}

function goOn(before: Live, finding: Finding, now: number): Change {
  if (before.status === "pending" && finding.state === "unclear") {
    return { kind: "forget", alert: before };
  }
  const rest = { ...before };
  delete rest.clearSince;
  if (finding.state === "unclear") return { kind: "keep", alert: rest };
  const { title, detail, severity } = finding;
  const alert: Live = { ...rest, title, detail, severity };
  if (before.status === "pending") return opened(alert, now) ?? { kind: "keep", alert };
  const isWorse = SEVERITIES.indexOf(severity) < SEVERITIES.indexOf(before.severity);
  return { kind: "keep", alert, ...(isWorse ? { tell: "escalated" as const } : {}) };
}

function clear(alert: Live, now: number): Change {
  if (alert.status === "pending") return { kind: "forget", alert };
  const clearSince = alert.clearSince ?? now;
  return now - clearSince >= RULES[alert.rule].clearMs
    ? { kind: "resolve", alert, tell: "resolved" }
    : { kind: "keep", alert: { ...alert, clearSince } };
}

/** Checks what an administrator sets. */
export function checkSettings(settings: AlertSettings): Checked<AlertSettings> {
  const { spendDailyUsd, errorShare, reclaims, slowMs, diskShare, muted } = settings;
  if (spendDailyUsd !== null && !(spendDailyUsd > 0 && Number.isFinite(spendDailyUsd))) {
    return refused(`spendDailyUsd is ${spendDailyUsd}; it must be above 0, or null for no limit.`);
  }
  for (const [name, share] of Object.entries({ errorShare, diskShare })) {
    if (!(share > 0 && share < 1)) {
      return refused(`${name} is ${share}; it must be above 0 and below 1.`);
    }
  }
  if (!Number.isInteger(reclaims) || reclaims < 1) {
    return refused(`reclaims is ${reclaims}; it must be a whole number of at least 1.`);
  }
  if (!(slowMs >= MINUTE && Number.isFinite(slowMs))) {
    return refused(`slowMs is ${slowMs}; it must be at least ${MINUTE}.`);
  }
  if (muted.length > RULE_NAMES.length) return refused("muted names a rule more than once.");
  return passed(settings);
}

const minutes = (ms: number): string => `${Math.round(ms / MINUTE)} min`;
const percent = (share: number): string => `${Math.round(share * 100)} %`;
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
