import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";
import { hashToken, makeToken } from "../lib/crypto.js";
import { ENROLMENT_MS, PRUNE_BATCH } from "../protocol/limits.js";

/** Makes an invitation for one executor. The token is shown this once; only its hash is kept. */
export async function create(
  ctx: MutationCtx,
  made: { label: string; createdBy: string },
): Promise<{ token: string; expiresAt: number }> {
  const token = makeToken("fen_");
  const expiresAt = Clock.now() + ENROLMENT_MS;
  await ctx.db.insert("enrolments", { ...made, tokenHash: await hashToken(token), expiresAt });
  return { token, expiresAt };
}

/** Uses an invitation up; null when it is unknown, used or too old. */
export async function use(ctx: MutationCtx, token: string): Promise<Doc<"enrolments"> | null> {
  const tokenHash = await hashToken(token);
  const enrolment = await ctx.db
    .query("enrolments")
    .withIndex("by_token_hash", (q) => q.eq("tokenHash", tokenHash))
    .unique();
  if (enrolment === null) return null;
  await ctx.db.delete("enrolments", enrolment._id);
  return enrolment.expiresAt > Clock.now() ? enrolment : null;
}

/** Deletes invitations that nobody used in time; hands out how many. */
export async function prune(ctx: MutationCtx): Promise<number> {
  const over = await ctx.db
    .query("enrolments")
    .withIndex("by_expiry", (q) => q.gt("expiresAt", 0).lte("expiresAt", Clock.now()))
    .take(PRUNE_BATCH);
  for (const enrolment of over) await ctx.db.delete("enrolments", enrolment._id);
  return over.length;
}
