import type { ClaudeForm } from "../protocol/secret.js";
import type { CredentialKind, UsageLimit, UsageWindow } from "../protocol/credential.js";
import {
  RESET_MS_MAX,
  THROTTLE_MS_MAX,
  THROTTLE_MS_MIN,
  USAGE_WINDOWS_MAX,
} from "../protocol/limits.js";

/** What is remembered of throttles that came without a time of reset. */
export type Throttling = { throttles: number; throttledUntil?: number };

/**
 * Until when a credential is limited. A reset that lies ahead is taken to its second; without one the
 * pause doubles with each throttle that comes within the longest pause after the one before.
 */
export function limitedUntil(
  { resetsAt }: UsageLimit,
  before: Throttling,
  now: number,
): Throttling & { until: number } {
  if (resetsAt !== undefined && Number.isFinite(resetsAt) && resetsAt > now) {
    return { until: Math.min(resetsAt, now + RESET_MS_MAX), throttles: 0 };
  }
  const isFollowing = now <= (before.throttledUntil ?? -Infinity) + THROTTLE_MS_MAX;
  const throttles = isFollowing ? before.throttles + 1 : 1;
  const until = now + Math.min(THROTTLE_MS_MAX, THROTTLE_MS_MIN * 2 ** Math.min(throttles - 1, 20));
  return { until, throttles, throttledUntil: until };
}

/** The windows known, with the last word on each; null when nothing is new. */
export function mergeWindows(
  known: readonly UsageWindow[],
  told: readonly UsageWindow[],
): UsageWindow[] | null {
  const isNew = told.some((one) => {
    const old = known.find((each) => each.window === one.window);
    return old?.status !== one.status || old.resetsAt !== one.resetsAt;
  });
  if (!isNew) return null;
  const others = known.filter((each) => !told.some((one) => one.window === each.window));
  return [...told, ...others].slice(0, USAGE_WINDOWS_MAX);
}

/** Of credentials with room, the one that the fewest attempts use; undefined when none has room. */
export function leastUsed<T extends { inFlight: number; concurrency: number | null }>(
  credentials: readonly T[],
): T | undefined {
  const free = credentials.filter((c) => c.concurrency === null || c.inFlight < c.concurrency);
  return free.reduce<T | undefined>(
    (best, each) => (best === undefined || each.inFlight < best.inFlight ? each : best),
    undefined,
  );
}

export function kindOf(form: ClaudeForm | undefined): CredentialKind {
  return form === "apiKey" ? "apiKey" : "subscription";
}

export function formOf(kind: CredentialKind): ClaudeForm {
  return kind === "apiKey" ? "apiKey" : "oauthToken";
}
