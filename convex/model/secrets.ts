import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import {
  checkValue,
  forClone,
  lastFourOf,
  ownerOf,
  type SecretKey,
  textOf,
} from "../domain/secret.js";
import * as Box from "../lib/box.js";
import * as Clock from "../lib/clock.js";
import { accept, fail } from "../lib/errors.js";
import { SECRETS_MAX } from "../protocol/limits.js";
import type {
  ClaudeForm,
  SealedSecret,
  SecretStatus,
  SecretUse,
  SecretView,
} from "../protocol/secret.js";

export type Kept = SealedSecret;

/** Seals a secret's value, which goes no further. Throws INVALID_ARGUMENT without showing it. */
export async function seal(
  key: SecretKey,
  { value, ...more }: { value: string; form?: ClaudeForm; expiresAt?: number },
  setBy: string,
): Promise<Kept> {
  const plain = accept(checkValue(value));
  const box = await Box.seal(plain, placeOf(key));
  return { ...key, ...more, box, lastFour: lastFourOf(plain), setBy };
}

/** What a box of a secret is bound to. */
export function placeOf(key: SecretKey): Box.Place {
  return { table: "secretBoxes", owner: textOf(key) };
}

/** Keeps a secret, in place of the one of the same kind and name. */
export async function keep(
  ctx: MutationCtx,
  { box, ...shown }: Kept,
): Promise<{ secretId: Id<"secrets">; isNew: boolean }> {
  const row = { ...shown, status: "active" as const, setAt: Clock.now() };
  const old = await find(ctx, shown);
  if (old !== null) {
    await ctx.db.replace("secrets", old._id, row);
    await ctx.db.patch("secretBoxes", (await boxRow(ctx, old._id))._id, { box });
    return { secretId: old._id, isNew: false };
  }
  const all = await ctx.db.query("secrets").take(SECRETS_MAX);
  if (all.length === SECRETS_MAX) {
    throw fail("INVALID_ARGUMENT", `There are ${SECRETS_MAX} secrets: remove one first.`);
  }
  const secretId = await ctx.db.insert("secrets", row);
  await ctx.db.insert("secretBoxes", { secretId, box });
  return { secretId, isNew: true };
}

/** The secret; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, secretId: Id<"secrets">): Promise<Doc<"secrets">> {
  const secret = await ctx.db.get("secrets", secretId);
  if (secret === null) throw fail("NOT_FOUND", `There is no secret ${secretId}.`);
  return secret;
}

export async function setStatus(
  ctx: MutationCtx,
  secretId: Id<"secrets">,
  status: SecretStatus,
): Promise<void> {
  await ctx.db.patch("secrets", secretId, { status });
}

/** Removes a secret and its box. */
export async function remove(ctx: MutationCtx, secretId: Id<"secrets">): Promise<void> {
  await ctx.db.delete("secretBoxes", (await boxRow(ctx, secretId))._id);
  await ctx.db.delete("secrets", secretId);
}

/** Secrets without what is secret, newest first: all, or the tokens of one user. */
export async function list(ctx: QueryCtx, ofUser: string | null): Promise<SecretView[]> {
  const rows = await ctx.db.query("secrets").order("desc").take(SECRETS_MAX);
  const shown = rows.filter((row) => ofUser === null || ownerOf(row) === ofUser);
  return shown.map(view);
}

function view({ _id, kind, name, form, status, ...more }: Doc<"secrets">): SecretView {
  const { lastFour, expiresAt, setBy, setAt } = more;
  return {
    ...{ secretId: _id, kind, name, status, lastFour, setBy, setAt },
    ...(form === undefined ? {} : { form }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

/** The secret that serves a job, with its box; null when there is none that is active and good now. */
export async function serving(
  ctx: QueryCtx,
  job: Doc<"jobs">,
  use: SecretUse,
): Promise<{ secret: Doc<"secrets">; box: string } | null> {
  const found = use === "clone" ? await forJob(ctx, job) : await claude(ctx, job);
  const secret = found.find((row) => row.status === "active" && isInForce(row));
  return secret === undefined ? null : { secret, box: (await boxRow(ctx, secret._id)).box };
}

function isInForce({ expiresAt }: Doc<"secrets">): boolean {
  return expiresAt === undefined || expiresAt > Clock.now();
}

async function forJob(ctx: QueryCtx, job: Doc<"jobs">): Promise<Doc<"secrets">[]> {
  const keys = forClone(job.spec.repository, job.submittedBy);
  const rows = await Promise.all(keys.map((key) => find(ctx, key)));
  return rows.filter((row) => row !== null);
}

/** That of the one credential the attempt was given; where none was given, whatever there is. */
async function claude(ctx: QueryCtx, { live }: Doc<"jobs">): Promise<Doc<"secrets">[]> {
  const credentialId = live?.credentialId;
  if (credentialId !== undefined) {
    const { secretId } = (await ctx.db.get("claudeCredentials", credentialId)) ?? {};
    return secretId === undefined ? [] : [await get(ctx, secretId)];
  }
  return ctx.db
    .query("secrets")
    .withIndex("by_name", (q) => q.eq("kind", "claude"))
    .take(SECRETS_MAX);
}

/** The secret of this kind and name; null when none is kept. */
export async function find(
  ctx: QueryCtx,
  { kind, name }: SecretKey,
): Promise<Doc<"secrets"> | null> {
  return ctx.db
    .query("secrets")
    .withIndex("by_name", (q) => q.eq("kind", kind).eq("name", name))
    .unique();
}

async function boxRow(ctx: QueryCtx, secretId: Id<"secrets">): Promise<Doc<"secretBoxes">> {
  const row = await ctx.db
    .query("secretBoxes")
    .withIndex("by_secret", (q) => q.eq("secretId", secretId))
    .unique();
  if (row === null) throw new Error(`Secret ${secretId} has no box`);
  return row;
}

/** A page of boxes, in order of their making. */
export async function boxes(ctx: QueryCtx, options: Box.PageOptions): Promise<Box.Page> {
  const { page, isDone, continueCursor } = await ctx.db.query("secretBoxes").paginate(options);
  const rows = page.map(async ({ _id, secretId, box }) => {
    const key = keyOf(await get(ctx, secretId));
    return { id: _id, place: placeOf(key), name: textOf(key), box };
  });
  return { page: await Promise.all(rows), next: isDone ? null : continueCursor };
}

/** Puts a box in another's place, if that is still the one it was made from. */
export async function swapBox(ctx: MutationCtx, { id, from, to }: Box.Swap): Promise<boolean> {
  const boxId = ctx.db.normalizeId("secretBoxes", id);
  const row = boxId === null ? null : await ctx.db.get("secretBoxes", boxId);
  if (row?.box !== from) return false;
  await ctx.db.patch("secretBoxes", row._id, { box: to });
  return true;
}

function keyOf({ kind, name }: Doc<"secrets">): SecretKey {
  return { kind, name };
}
