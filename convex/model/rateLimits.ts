import type { MutationCtx } from "../_generated/server.js";
import { type Bucket, fullAt, take } from "../domain/tokenBucket.js";
import * as Clock from "../lib/clock.js";
import { PRUNE_BATCH } from "../protocol/limits.js";

const MINUTE_MS = 60_000;

/** What is limited, each kind for everybody together or for each key. */
const LIMITS = {
  /** Deriving passwords: the dearest thing a stranger can ask for. */
  passwordsOfAll: { rate: 120, periodMs: MINUTE_MS, burst: 60 },
  passwordsOfAccount: { rate: 20, periodMs: MINUTE_MS, burst: 20 },
  /** One-time codes, set-ups, keys and invitations shown by whoever: cheap, but each leaves a line in the audit. */
  credentialsOfAll: { rate: 600, periodMs: MINUTE_MS, burst: 300 },
  /** Signing an access token for one API key, one session or one executor. */
  tokensOfHolder: { rate: 30, periodMs: MINUTE_MS, burst: 30 },
} satisfies Record<string, Bucket>;

export type Limited = { ok: true } | { ok: false; retryAfterMs: number };

/** Takes one call of a kind from the allowance of a key. */
export async function use(ctx: MutationCtx, kind: keyof typeof LIMITS, key = ""): Promise<Limited> {
  const name = `${kind}:${key}`;
  const row = await ctx.db
    .query("rateLimits")
    .withIndex("by_name", (q) => q.eq("name", name))
    .unique();
  const taken = take(LIMITS[kind], row, Clock.now());
  if (!taken.ok) return taken;
  const fields = { ...taken.after, fullAt: fullAt(LIMITS[kind], taken.after) };
  if (row === null) await ctx.db.insert("rateLimits", { name, ...fields });
  else await ctx.db.patch("rateLimits", row._id, fields);
  return { ok: true };
}

/** Deletes rows of allowances that are whole again; hands out how many. */
export async function prune(ctx: MutationCtx): Promise<number> {
  const whole = await ctx.db
    .query("rateLimits")
    .withIndex("by_full", (q) => q.gt("fullAt", 0).lte("fullAt", Clock.now()))
    .take(PRUNE_BATCH);
  for (const row of whole) await ctx.db.delete("rateLimits", row._id);
  return whole.length;
}
