import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import type { Doc } from "./_generated/dataModel.js";
import {
  internalAction,
  internalMutation,
  internalQuery,
  type MutationCtx,
} from "./_generated/server.js";
import { type Checked, quote } from "./domain/checked.js";
import { kindOf } from "./domain/credential.js";
import { checkKey, type SecretKey, textOf } from "./domain/secret.js";
import * as Box from "./lib/box.js";
import * as Clock from "./lib/clock.js";
import * as Env from "./lib/env.js";
import { accept, fail } from "./lib/errors.js";
import { executorAction, userAction, userMutation, userQuery } from "./lib/functions.js";
import * as Attempts from "./model/attempts.js";
import * as Audit from "./model/audit.js";
import * as Credentials from "./model/credentials.js";
import * as Executors from "./model/executors.js";
import * as Leases from "./model/leases.js";
import * as RateLimits from "./model/rateLimits.js";
import * as SecondFactors from "./model/secondFactors.js";
import * as Secrets from "./model/secrets.js";
import * as UsageLimits from "./model/usageLimits.js";
import { RESEAL_BATCH, RESEAL_PAGES_MAX } from "./protocol/limits.js";
import {
  claudeForm,
  type IssuedSecret,
  issuedSecret,
  sealedSecret,
  secretKind,
  secretStatus,
  secretUse,
  secretView,
} from "./protocol/secret.js";

type Named = { username: string };
const kept = v.object({ secretId: v.id("secrets") });
type Kept = typeof kept.type;
const secretKey = v.object({ kind: secretKind, name: v.string() });

/** User name of HTTP Basic with which GitHub takes tokens of every kind. */
const TOKEN_USERNAME = "x-access-token";

// -- people --

/**
 * Keeps a secret, in place of the one of the same kind and name. The value is sealed here and goes
 * no further.
 */
export const set = userAction("administrator")({
  args: {
    kind: secretKind,
    name: v.string(),
    value: v.string(),
    /** For a Claude credential alone, which must say it. */
    form: v.optional(claudeForm),
    expiresAt: v.optional(v.number()),
  },
  returns: kept,
  handler: async (ctx, { kind, name, ...given }): Promise<Kept> => {
    const key = accept(checkKey(kind, name, Env.allowedRepositories()));
    if ((kind === "claude") !== (given.form !== undefined)) {
      throw fail("INVALID_ARGUMENT", "A Claude credential has a form, and no other secret has.");
    }
    return ctx.runMutation(internal.secrets.keep, await seal(key, given, ctx.user));
  },
});

/** Keeps the caller's own token for clones from a host, for the jobs he submits. */
export const setMyToken = userAction("operator")({
  args: { host: v.string(), value: v.string(), expiresAt: v.optional(v.number()) },
  returns: kept,
  handler: async (ctx, { host, ...given }): Promise<Kept> => {
    const key = accept(myTokenKey(ctx.user, host));
    return ctx.runMutation(internal.secrets.keep, await seal(key, given, ctx.user));
  },
});

/** Removes the caller's own token. */
export const removeMyToken = userMutation("operator")({
  args: { host: v.string() },
  returns: v.null(),
  handler: async (ctx, { host }) => {
    const key = accept(myTokenKey(ctx.user, host));
    const secret = await Secrets.find(ctx, key);
    if (secret === null) throw fail("NOT_FOUND", `No token of yours is kept for ${quote(host)}.`);
    await removeSecret(ctx, secret, ctx.user);
    return null;
  },
});

/** The caller's own tokens, without what is secret. */
export const listMine = userQuery("operator")({
  args: {},
  returns: v.array(secretView),
  handler: async (ctx) => Secrets.list(ctx, ctx.user.username),
});

/** What is kept, without what is secret, newest first. */
export const list = userQuery("administrator")({
  args: {},
  returns: v.array(secretView),
  handler: async (ctx) => Secrets.list(ctx, null),
});

/** Stops a secret from being issued, or lets it be again. */
export const setStatus = userMutation("administrator")({
  args: { secretId: v.id("secrets"), status: secretStatus },
  returns: v.null(),
  handler: async (ctx, { secretId, status }) => {
    const secret = await Secrets.get(ctx, secretId);
    await Secrets.setStatus(ctx, secretId, status);
    const credential = secret.kind === "claude" ? await Credentials.ofSecret(ctx, secretId) : null;
    if (credential !== null) {
      await UsageLimits.setStatus(ctx, credential, status === "active" ? "ok" : status);
    }
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: `secret.${status}`, actor, target: textOf(secret) });
    return null;
  },
});

/** Removes a secret for good. */
export const remove = userMutation("administrator")({
  args: { secretId: v.id("secrets") },
  returns: v.null(),
  handler: async (ctx, { secretId }) => {
    await removeSecret(ctx, await Secrets.get(ctx, secretId), ctx.user);
    return null;
  },
});

async function seal(
  key: SecretKey,
  given: Parameters<typeof Secrets.seal>[1],
  { username }: Named,
): Promise<Secrets.Kept> {
  return Secrets.seal(key, given, `user:${username}`);
}

function myTokenKey({ username }: Named, host: string): Checked<SecretKey> {
  return checkKey("userToken", `${username}@${host}`, Env.allowedRepositories());
}

async function removeSecret(
  ctx: MutationCtx,
  secret: Doc<"secrets">,
  { username }: Named,
): Promise<void> {
  const credential = await Credentials.ofSecret(ctx, secret._id);
  if (credential !== null) await Credentials.remove(ctx, credential._id);
  await Secrets.remove(ctx, secret._id);
  const actor = `user:${username}`;
  await Audit.write(ctx, { action: "secret.removed", actor, target: textOf(secret) });
}

export const keep = internalMutation({
  args: sealedSecret.fields,
  returns: kept,
  handler: async (ctx, secret) => {
    const { secretId, isNew } = await Secrets.keep(ctx, secret);
    if (secret.kind === "claude") {
      const kind = kindOf(secret.form);
      await Credentials.keep(ctx, { secretId, kind, label: secret.name });
      await UsageLimits.letIn(ctx);
    }
    const action = isNew ? "secret.set" : "secret.replaced";
    await Audit.write(ctx, { action, actor: secret.setBy, target: textOf(secret) });
    return { secretId };
  },
});

// -- executors --

/**
 * The secret that the holder of a live lease needs for its attempt; null when none is kept for it.
 * Asked again, it is issued and audited again.
 */
export const issue = executorAction({
  args: { jobId: v.id("jobs"), token: v.number(), use: secretUse },
  returns: v.union(v.null(), issuedSecret),
  handler: async (ctx, args): Promise<IssuedSecret | null> => {
    const { executorId, boot } = ctx.executor;
    const taken: Taken = await ctx.runMutation(internal.secrets.take, {
      ...args,
      executorId,
      boot,
    });
    if (taken.kind === "refused") {
      throw fail("STALE_LEASE", `Nothing is issued for this attempt: ${taken.why}.`);
    }
    if (taken.kind === "none") return null;
    const secret = await Box.open(taken.box, Secrets.placeOf(taken.key));
    const form = taken.form === undefined ? {} : { form: taken.form };
    return args.use === "clone" ? { username: TOKEN_USERNAME, secret } : { ...form, secret };
  },
});

const taken = v.union(
  v.object({ kind: v.literal("refused"), why: v.string() }),
  v.object({ kind: v.literal("none") }),
  v.object({
    kind: v.literal("box"),
    key: secretKey,
    form: v.optional(claudeForm),
    box: v.string(),
  }),
);
type Taken = typeof taken.type;

/** The one way to a box: checks process, token and lease, and audits, in one transaction. */
export const take = internalMutation({
  args: {
    executorId: v.id("executors"),
    boot: v.string(),
    jobId: v.id("jobs"),
    token: v.number(),
    use: secretUse,
  },
  returns: taken,
  handler: async (ctx, { executorId, boot, jobId, token, use }): Promise<Taken> => {
    await RateLimits.demand(ctx, "secretsOfExecutor", { key: executorId });
    const executor = await Executors.get(ctx, executorId);
    const job = await Attempts.heldJob(ctx, executor, { jobId, token });
    const lease = await Leases.find(ctx, executorId);
    const actor = Executors.actorOf(executor);
    const detail = `${use} job ${jobId} token ${token}`;
    const isCurrent = !executor.revoked && executor.boot === boot;
    const isLeased = lease !== null && lease.expiresAt > Clock.now();
    if (!isCurrent || !isLeased || job === null) {
      await Audit.write(ctx, { action: "secret.refused", actor, detail });
      const why = isLeased
        ? `token ${token} is not that of job ${jobId}`
        : "there is no live lease";
      return { kind: "refused", why };
    }
    const found = await Secrets.serving(ctx, job, use);
    if (found === null) return { kind: "none" };
    const { kind, name, form } = found.secret;
    const key = { kind, name };
    await Audit.write(ctx, { action: "secret.issued", actor, target: textOf(key), detail });
    return { kind: "box", key, ...(form === undefined ? {} : { form }), box: found.box };
  },
});

// -- operators: `npx convex run secrets:reseal` after SECRETS_CURRENT was changed --

/** Who keeps boxes, by the table they are in. */
const KEEPERS = { secretBoxes: Secrets, credentials: SecondFactors };
const keeper = v.union(v.literal("secretBoxes"), v.literal("credentials"));

/**
 * Seals every box with the current key that is not: secrets of every kind and seeds of one-time codes.
 * A box that does not open is left and named. Safe to run at any time, and again. Old keys may go from
 * SECRETS_KEYS when `broken` is empty.
 */
export const reseal = internalAction({
  args: {},
  returns: v.object({ looked: v.number(), resealed: v.number(), broken: v.array(v.string()) }),
  handler: async (ctx) => {
    const told = { looked: 0, resealed: 0, broken: [] as string[] };
    for (const of of ["secretBoxes", "credentials"] as const) {
      let cursor: string | null = null;
      for (let pages = 0; ; pages += 1) {
        if (pages === RESEAL_PAGES_MAX) throw new Error(`There are too many boxes in ${of}`);
        const batch: Batch = await ctx.runQuery(internal.secrets.boxes, { of, cursor });
        const swaps: Box.Swap[] = [];
        for (const { id, place, name, box } of batch.page) {
          told.looked += 1;
          const again = await sealAgain(box, place);
          if (again === "broken") told.broken.push(name);
          else if (again !== box) swaps.push({ id, from: box, to: again });
        }
        told.resealed += await ctx.runMutation(internal.secrets.swapBoxes, { of, swaps });
        cursor = batch.next;
        if (cursor === null) break;
      }
    }
    return told;
  },
});

/** The box itself when the current key sealed it and it opens. */
async function sealAgain(box: string, place: Box.Place): Promise<string> {
  try {
    const plain = await Box.open(box, place);
    return Box.isCurrent(box) ? box : await Box.seal(plain, place);
  } catch (error) {
    if (error instanceof Box.BoxError) return "broken";
    throw error;
  }
}

const batchItem = v.object({
  id: v.string(),
  place: v.object({ table: v.string(), owner: v.string() }),
  name: v.string(),
  box: v.string(),
});
const batch = v.object({ page: v.array(batchItem), next: v.union(v.null(), v.string()) });
type Batch = typeof batch.type;
const swap = v.object({ id: v.string(), from: v.string(), to: v.string() });

export const boxes = internalQuery({
  args: { of: keeper, cursor: v.union(v.null(), v.string()) },
  returns: batch,
  handler: async (ctx, { of, cursor }) =>
    KEEPERS[of].boxes(ctx, { numItems: RESEAL_BATCH, cursor }),
});

/** Hands out how many it put in place; a secret set anew meanwhile keeps its new box. */
export const swapBoxes = internalMutation({
  args: { of: keeper, swaps: v.array(swap) },
  returns: v.number(),
  handler: async (ctx, { of, swaps }) => {
    let count = 0;
    for (const one of swaps) if (await KEEPERS[of].swapBox(ctx, one)) count += 1;
    if (count > 0) {
      const detail = `${count} of ${of} sealed again`;
      await Audit.write(ctx, { action: "secrets.resealed", actor: "operator", detail });
    }
    return count;
  },
});
