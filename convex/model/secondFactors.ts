/** One-time codes and what stands in for them; the only writer of `totp` and `recovery` but users.reset. */
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Box from "../lib/box.js";
import * as Clock from "../lib/clock.js";
import { hashToken } from "../lib/crypto.js";
import { makeRecoveryCode, normalizeRecoveryCode } from "../lib/recoveryCode.js";
import * as Totp from "../lib/totp.js";
import { RECOVERY_CODES } from "../protocol/limits.js";
import type { Account } from "./users.js";

/** Whether a sign-in to the account needs a code. */
export function isOn({ credential }: Account): boolean {
  return credential.totp?.confirmed === true;
}

/** How an account stands with one-time codes. */
export function standing(account: Account): { isOn: boolean; recoveryCodesLeft: number } {
  return { isOn: isOn(account), recoveryCodesLeft: account.credential.recovery?.length ?? 0 };
}

/** Makes a seed that waits for its first code; one that waited is replaced. Not for an account that is on. */
export async function begin(
  ctx: MutationCtx,
  { user, credential }: Account,
): Promise<{ seed: string; uri: string }> {
  const seed = Totp.makeSeed();
  const box = await Box.seal(seed, placeOf(credential));
  await ctx.db.patch("credentials", credential._id, {
    totp: { box, confirmed: false, lastStep: 0 },
  });
  return { seed, uri: Totp.toUri(seed, user.username) };
}

/** Turns codes on, if this is one of the seed that waits; hands out the recovery codes. That code is used. */
export async function confirm(
  ctx: MutationCtx,
  { credential }: Account,
  code: string,
): Promise<string[] | null> {
  const { totp } = credential;
  if (totp === undefined || totp.confirmed) return null;
  const lastStep = await freshStep(credential, code);
  if (lastStep === null) return null;
  const codes = Array.from({ length: RECOVERY_CODES }, makeRecoveryCode);
  const recovery = await Promise.all(codes.map((one) => hashToken(normalizeRecoveryCode(one))));
  await ctx.db.patch("credentials", credential._id, {
    totp: { box: totp.box, confirmed: true, lastStep },
    recovery,
  });
  return codes;
}

/** Uses a one-time code or a recovery code up; false when it is neither, or was used. */
export async function use(
  ctx: MutationCtx,
  { credential }: Account,
  code: string,
): Promise<"totp" | "recovery" | null> {
  const { totp, recovery = [] } = credential;
  if (totp?.confirmed !== true) return null;
  const hash = await hashToken(normalizeRecoveryCode(code));
  if (recovery.includes(hash)) {
    const left = recovery.filter((one) => one !== hash);
    await ctx.db.patch("credentials", credential._id, { recovery: left });
    return "recovery";
  }
  const lastStep = await freshStep(credential, code);
  if (lastStep === null) return null;
  await ctx.db.patch("credentials", credential._id, { totp: { ...totp, lastStep } });
  return "totp";
}

/** Asks for codes no more. */
export async function turnOff(ctx: MutationCtx, { credential }: Account): Promise<void> {
  await ctx.db.patch("credentials", credential._id, { totp: undefined, recovery: undefined });
}

/** The step of a code that no later or equal one was used before; null for any other text. */
async function freshStep(credential: Doc<"credentials">, code: string): Promise<number | null> {
  const { totp } = credential;
  if (totp === undefined || !/^[0-9]{6}$/.test(code)) return null;
  const seed = await Box.open(totp.box, placeOf(credential));
  const step = Totp.findStep(seed, code, Clock.now());
  return step !== null && step > totp.lastStep ? step : null;
}

/** A page of the sealed seeds, in order of the users' making. */
export async function boxes(ctx: QueryCtx, options: Box.PageOptions): Promise<Box.Page> {
  const { page, isDone, continueCursor } = await ctx.db.query("credentials").paginate(options);
  const found: Box.Kept[] = [];
  for (const credential of page) {
    const { _id, userId, totp } = credential;
    if (totp === undefined) continue;
    const user = await ctx.db.get("users", userId);
    const name = `one-time codes of user:${user?.username ?? userId}`;
    found.push({ id: _id, place: placeOf(credential), name, box: totp.box });
  }
  return { page: found, next: isDone ? null : continueCursor };
}

/** Puts a box in another's place, if that is still the one it was made from. */
export async function swapBox(ctx: MutationCtx, { id, from, to }: Box.Swap): Promise<boolean> {
  const credentialId = ctx.db.normalizeId("credentials", id);
  const row = credentialId === null ? null : await ctx.db.get("credentials", credentialId);
  if (row?.totp?.box !== from) return false;
  await ctx.db.patch("credentials", row._id, { totp: { ...row.totp, box: to } });
  return true;
}

function placeOf(credential: Doc<"credentials">): Box.Place {
  return { table: "credentials", owner: credential._id };
}
