/**
 * How often somebody may ask for what is expensive: deriving a password, signing a token, a line in the
 * audit for a stranger, many jobs at once. Counted by the component `@convex-dev/rate-limiter`, one
 * document for each allowance in use. What strangers waste is counted apart from what is good, so that
 * a flood of bad tokens keeps nobody out who has a good one.
 */
import { DAY, MINUTE, RateLimiter } from "@convex-dev/rate-limiter";
import { components } from "../_generated/api.js";
import type { ActionCtx, MutationCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";
import { fail } from "../lib/errors.js";

/** `rate` a minute, and at most `capacity` at once. */
const perMinute = (rate: number, capacity: number) => ({
  kind: "token bucket" as const,
  period: MINUTE,
  rate,
  capacity,
});

const LIMITS = {
  /** Deriving passwords: the dearest thing a stranger can ask for. */
  passwordsOfAll: perMinute(120, 60),
  passwordsOfAccount: perMinute(20, 20),
  /** Passwords that an administrator sets: a flood of sign-ins keeps nobody from resetting one. */
  passwordsOfAdministrator: perMinute(30, 30),
  /** What was shown and is no credential, of every kind: cheap, but each leaves a line in the audit. */
  refusalsOfAll: perMinute(600, 300),
  /** The same for statements that an executor's key did not sign. */
  refusalsOfExecutor: perMinute(10, 10),
  /** Signing an access token, for who showed that he may have one: a session, an API key, an executor. */
  tokensOfAll: perMinute(3_000, 1_000),
  /** A script signs in with each command of the command line. */
  tokensOfHolder: perMinute(240, 120),
  /** Jobs that a person submits by himself or with his keys; a batch counts each of its jobs. */
  jobsOfAccount: perMinute(600, 1_200),
  /** What a person says to runs, and answers them. */
  commandsOfAccount: perMinute(120, 120),
  /** Operations that touch many jobs in the background. */
  operationsOfAccount: perMinute(60, 60),
  /** Pages of the audit, read whole. */
  exportsOfAccount: perMinute(240, 240),
  /** Secrets opened for attempts: two for each of 64 slots at once, and as many a minute. */
  secretsOfExecutor: perMinute(128, 256),
};

/** An allowance that nobody used for so long is whole again, whatever its limit. */
const KEPT_MS = DAY;
const limiter = new RateLimiter(components.rateLimiter, LIMITS);

type Kind = keyof typeof LIMITS;
type Limited = { ok: true } | { ok: false; retryAfterMs: number };

/** Takes `count` calls of a kind from the allowance of a key; all or none. For replies that return. */
export async function use(
  ctx: MutationCtx | ActionCtx,
  kind: Kind,
  { key, count = 1 }: { key?: string; count?: number } = {},
): Promise<Limited> {
  const of = key === undefined ? {} : { key };
  const { ok, retryAfter } = await limiter.limit(ctx, kind, { ...of, count });
  return ok ? { ok } : { ok, retryAfterMs: retryAfter };
}

/** The same for functions that throw: RATE_LIMITED, with when to come back. */
export async function demand(
  ctx: MutationCtx | ActionCtx,
  kind: Kind,
  taken: { key: string; count?: number },
): Promise<void> {
  const limited = await use(ctx, kind, taken);
  if (limited.ok) return;
  const seconds = Math.ceil(limited.retryAfterMs / 1_000);
  throw fail("RATE_LIMITED", `Too many calls for now: come back in ${seconds} s.`);
}

/** Signing one token more, for a holder and for all. Called when he has shown that he may have it. */
export async function useToken(ctx: MutationCtx, holder: string): Promise<boolean> {
  if (!(await use(ctx, "tokensOfHolder", { key: holder })).ok) return false;
  return (await use(ctx, "tokensOfAll")).ok;
}

/**
 * For retention: forgets allowances that began a day ago; one still in use begins again, whole. The component deletes
 * a hundred at a time and goes on by itself.
 */
export async function prune(ctx: MutationCtx): Promise<void> {
  const { clearAll } = components.rateLimiter.lib;
  await ctx.runMutation(clearAll, { before: Clock.now() - KEPT_MS });
}
