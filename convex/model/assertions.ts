import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import { type Assertion, readAssertion } from "../domain/assertion.js";
import * as Clock from "../lib/clock.js";
import { signJwt, verifyEdDsa } from "../lib/crypto.js";
import * as Env from "../lib/env.js";
import { AUDIENCE, issuer } from "../lib/functions.js";
import { ACCESS_TOKEN_MS, CLOCK_SKEW_MS, PRUNE_BATCH } from "../protocol/limits.js";
import type { TokenReply } from "../protocol/executor.js";

/** The assertion, if it is good and was not used before; it is used with this. */
export async function use(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  jws: string,
): Promise<Assertion | null> {
  const claims = await verifyEdDsa(jws, executor.publicJwk.x);
  if (claims === null) return null;
  const executorId = executor._id;
  const assertion = readAssertion(claims, { executorId, now: Clock.now() });
  if (assertion === null) return null;
  const { jti, expiresAt } = assertion;
  const used = await ctx.db
    .query("assertionJtis")
    .withIndex("by_jti", (q) => q.eq("executorId", executorId).eq("jti", jti))
    .first();
  if (used !== null) return null;
  await ctx.db.insert("assertionJtis", { executorId, jti, expiresAt: expiresAt + CLOCK_SKEW_MS });
  return assertion;
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
