import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import { type Assertion, readAssertion } from "../domain/assertion.js";
import * as Clock from "../lib/clock.js";
import { signJwt, verifyEdDsa } from "../lib/crypto.js";
import * as Env from "../lib/env.js";
import { AUDIENCE, issuer } from "../lib/functions.js";
import {
  ACCESS_TOKEN_MS,
  ASSERTION_AUDIENCE,
  CLOCK_SKEW_MS,
  PRUNE_BATCH,
  ROTATION_AUDIENCE,
} from "../protocol/limits.js";
import type { PublicJwk, TokenReply } from "../protocol/executor.js";

/** The assertion, if it is good and was not used before; it is used with this. */
export async function use(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  jws: string,
): Promise<Assertion | null> {
  const claims = await verifyEdDsa(jws, executor.publicJwk.x);
  const expected = { executorId: executor._id, audience: ASSERTION_AUDIENCE, now: Clock.now() };
  const assertion = claims === null ? null : readAssertion(claims, expected);
  return assertion !== null && (await spend(ctx, executor._id, assertion)) ? assertion : null;
}

/** A statement of both keys that the next one takes the other's place. */
export type Rotation = { publicJwk: PublicJwk; assertion: string; proof: string };

/**
 * The statement, if both keys signed it for each other just now and it was not used before. An access
 * token alone is not enough to replace a key: who steals one has it for ten minutes, not for good.
 */
export async function useRotation(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  { publicJwk: { x }, assertion, proof }: Rotation,
): Promise<Assertion | null> {
  const expected = { executorId: executor._id, audience: ROTATION_AUDIENCE, now: Clock.now() };
  const [byOld, byNew] = [
    await verifyEdDsa(assertion, executor.publicJwk.x),
    await verifyEdDsa(proof, x),
  ];
  if (byOld?.["x"] !== x || byNew?.["x"] !== x || byOld["jti"] !== byNew["jti"]) return null;
  if (x === executor.publicJwk.x || readAssertion(byNew, expected) === null) return null;
  const read = readAssertion(byOld, expected);
  return read !== null && (await spend(ctx, executor._id, read)) ? read : null;
}

/** Notes that an assertion was used; false when it was before. */
async function spend(
  ctx: MutationCtx,
  executorId: Id<"executors">,
  { jti, expiresAt }: Assertion,
): Promise<boolean> {
  const used = await ctx.db
    .query("assertionJtis")
    .withIndex("by_jti", (q) => q.eq("executorId", executorId).eq("jti", jti))
    .first();
  if (used !== null) return false;
  await ctx.db.insert("assertionJtis", { executorId, jti, expiresAt: expiresAt + CLOCK_SKEW_MS });
  return true;
}

/** An access token for the process that signed the assertion. */
export async function grant(
  executor: Doc<"executors">,
  { boot, bootAt }: Assertion,
): Promise<TokenReply> {
  const iat = Math.floor(Clock.now() / 1000);
  const exp = iat + ACCESS_TOKEN_MS / 1000;
  const process = { sub: executor._id, epoch: executor.epoch, boot, bootAt };
  const claims = { iss: issuer("executor"), aud: AUDIENCE, ...process, iat, exp };
  const accessToken = await signJwt(claims, Env.get("AUTH_EXECUTOR_PRIVATE_JWK"));
  return { ok: true, accessToken, expiresAt: exp * 1000 };
}

/** Deletes what no assertion still good can collide with; hands out how many. */
export async function prune(ctx: MutationCtx): Promise<number> {
  const over = await ctx.db
    .query("assertionJtis")
    .withIndex("by_expiry", (q) => q.gt("expiresAt", 0).lte("expiresAt", Clock.now()))
    .take(PRUNE_BATCH);
  for (const row of over) await ctx.db.delete("assertionJtis", row._id);
  return over.length;
}
