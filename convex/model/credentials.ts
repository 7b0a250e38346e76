import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { leastUsed, limitedUntil, mergeWindows } from "../domain/credential.js";
import type { Gate } from "../domain/waiting.js";
import * as Clock from "../lib/clock.js";
import { fail } from "../lib/errors.js";
import type {
  CredentialKind,
  CredentialStatus,
  CredentialView,
  UsageLimit,
  UsageWindow,
} from "../protocol/credential.js";
import type { FailureReason } from "../protocol/job.js";
import { CREDENTIAL_CONCURRENCY_MAX, CREDENTIALS_MAX, PAGE_SIZE_MAX } from "../protocol/limits.js";
import * as Controls from "./controls.js";
import * as Slots from "./slots.js";

/**
 * The rows of what runs log in with. A deployment's credentials are given out one to an attempt; an
 * executor's own login is a row too, so that its limits are seen and kept in the same way, but nobody
 * gives it out. Nothing here is read for an attempt of an executor with its own login.
 */

/** Where jobs wait when no credential may be used. */
export const GATE = "credential";

type Row = Doc<"claudeCredentials">;

/** Adds a credential of the deployment, or takes the one of this secret as good again. */
export async function keep(
  ctx: MutationCtx,
  given: { secretId: Id<"secrets">; kind: CredentialKind; label: string },
): Promise<Id<"claudeCredentials">> {
  const old = await ofSecret(ctx, given.secretId);
  if (old !== null) {
    await ctx.db.patch("claudeCredentials", old._id, { ...given, ...GOOD });
    return old._id;
  }
  const all = await ctx.db
    .query("claudeCredentials")
    .withIndex("by_owner", (q) => q.eq("executorId", undefined))
    .take(CREDENTIALS_MAX);
  if (all.length === CREDENTIALS_MAX) {
    throw fail("INVALID_ARGUMENT", `There are ${CREDENTIALS_MAX} credentials: remove one first.`);
  }
  await Controls.useCredentials(ctx);
  return ctx.db.insert("claudeCredentials", { ...given, ...NEW, windows: [] });
}

const GOOD = { status: "ok", limitedUntil: undefined } as const;
const NEW = { status: "ok", throttles: 0, concurrency: null } as const;

/** What an executor that registers says of its login: the row becomes what it must be. */
export async function register(ctx: MutationCtx, executor: Doc<"executors">): Promise<void> {
  const { login } = executor;
  if (login === undefined) return;
  if (login !== "none") {
    const row = await ofExecutor(ctx, executor);
    const isAnother = row.kind !== login || row.status === "failing";
    if (isAnother) await ctx.db.patch("claudeCredentials", row._id, { ...GOOD, kind: login });
    return;
  }
  await forget(ctx, executor._id);
}

/** An executor has no login of its own any more. */
export async function forget(ctx: MutationCtx, executorId: Id<"executors">): Promise<void> {
  const row = await findOfExecutor(ctx, executorId);
  if (row !== null) await remove(ctx, row._id);
}

/** The row of an executor's own login, made when it is first needed. */
export async function ofExecutor(ctx: MutationCtx, executor: Doc<"executors">): Promise<Row> {
  const found = await findOfExecutor(ctx, executor._id);
  if (found !== null) return found;
  const kind = executor.login === "apiKey" ? "apiKey" : "subscription";
  const of = { executorId: executor._id, label: executor.name, kind } as const;
  return get(ctx, await ctx.db.insert("claudeCredentials", { ...of, ...NEW, windows: [] }));
}

/** The row of an executor's own login; null when there was no need of one yet. */
export async function findOfExecutor(
  ctx: QueryCtx,
  executorId: Id<"executors">,
): Promise<Row | null> {
  return ctx.db
    .query("claudeCredentials")
    .withIndex("by_owner", (q) => q.eq("executorId", executorId))
    .unique();
}

/** The credential that a secret is of; null when it is of none. */
export async function ofSecret(ctx: QueryCtx, secretId: Id<"secrets">): Promise<Row | null> {
  return ctx.db
    .query("claudeCredentials")
    .withIndex("by_secret", (q) => q.eq("secretId", secretId))
    .unique();
}

/** The credential; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, id: Id<"claudeCredentials">): Promise<Row> {
  const row = await ctx.db.get("claudeCredentials", id);
  if (row === null) throw fail("NOT_FOUND", `There is no credential ${id}.`);
  return row;
}

export async function setStatus(
  ctx: MutationCtx,
  id: Id<"claudeCredentials">,
  status: Exclude<CredentialStatus, "limited">,
): Promise<void> {
  await ctx.db.patch("claudeCredentials", id, { ...GOOD, status });
}

export async function setConcurrency(
  ctx: MutationCtx,
  id: Id<"claudeCredentials">,
  concurrency: number | null,
): Promise<void> {
  await ctx.db.patch("claudeCredentials", id, { concurrency });
}

/** Removes a credential; who uses it now goes on with what it was given. */
export async function remove(ctx: MutationCtx, id: Id<"claudeCredentials">): Promise<void> {
  await ctx.db.delete("claudeCredentials", id);
}

// -- giving out --

/** The credential that the next attempt is to use; null when none may be used now. */
export async function choose(ctx: QueryCtx): Promise<Id<"claudeCredentials"> | null> {
  const good = await usable(ctx);
  const [first] = good;
  if (good.length === 1 && first?.concurrency === null) return first._id;
  const counted = await Promise.all(
    good.map(async ({ _id, concurrency }) => ({
      _id,
      concurrency,
      inFlight: await inFlight(ctx, _id),
    })),
  );
  return leastUsed(counted)?._id ?? null;
}

/** The credential gate as an obstacle; null when somebody has, or may be given, a credential. */
export async function gate(ctx: QueryCtx): Promise<Gate | null> {
  const isOpen = (await choose(ctx)) !== null || (await hasOwnLogin(ctx));
  return isOpen ? null : closed(ctx);
}

/** The gate as it is where no credential may be used. */
export async function closed(ctx: QueryCtx): Promise<Gate> {
  const until = await firstReset(ctx);
  return { name: GATE, reason: "credential", ...(until === null ? {} : { until }) };
}

/** Whether an executor that takes work has a login of its own. */
async function hasOwnLogin(ctx: QueryCtx): Promise<boolean> {
  const online = await ctx.db
    .query("executors")
    .withIndex("by_presence", (q) => q.eq("presence", "online"))
    .take(PAGE_SIZE_MAX);
  return online.some((each) => Slots.isOpen(each) && each.login !== "none");
}

/** When the first limited credential may be used again; null when none is limited. */
export async function firstReset(ctx: QueryCtx): Promise<number | null> {
  const row = await ctx.db
    .query("claudeCredentials")
    .withIndex("by_status", (q) => q.eq("status", "limited").gt("limitedUntil", 0))
    .first();
  return row?.limitedUntil ?? null;
}

/** Notes that an attempt uses a credential. */
export async function use(
  ctx: MutationCtx,
  used: { credentialId: Id<"claudeCredentials">; jobId: Id<"jobs">; token: number },
): Promise<void> {
  await ctx.db.insert("credentialUses", used);
}

/** Ends the use of the credential that a job's attempt had, if it had one. */
export async function release(ctx: MutationCtx, job: Doc<"jobs">): Promise<void> {
  if (job.live?.credentialId === undefined) return;
  const row = await ctx.db
    .query("credentialUses")
    .withIndex("by_job", (q) => q.eq("jobId", job._id))
    .unique();
  if (row !== null) await ctx.db.delete("credentialUses", row._id);
}

/** Good credentials of the deployment. */
async function usable(ctx: QueryCtx): Promise<Row[]> {
  return ctx.db
    .query("claudeCredentials")
    .withIndex("by_owner", (q) => q.eq("executorId", undefined).eq("status", "ok"))
    .take(CREDENTIALS_MAX);
}

async function inFlight(ctx: QueryCtx, credentialId: Id<"claudeCredentials">): Promise<number> {
  const rows = await ctx.db
    .query("credentialUses")
    .withIndex("by_credential", (q) => q.eq("credentialId", credentialId))
    .take(CREDENTIAL_CONCURRENCY_MAX);
  return rows.length;
}

// -- limits and failures --

/** Takes a credential for used up. Hands out until when, at the second that the API told. */
export async function limit(
  ctx: MutationCtx,
  row: Row,
  { told, message }: { told: UsageLimit; message: string },
): Promise<number> {
  const now = Clock.now();
  const { throttles, throttledUntil } = row;
  const before = { throttles, ...(throttledUntil === undefined ? {} : { throttledUntil }) };
  const next = limitedUntil(told, before, now);
  const isBlocked = row.status === "disabled";
  await ctx.db.patch("claudeCredentials", row._id, {
    status: isBlocked ? "disabled" : "limited",
    limitedUntil: isBlocked ? undefined : next.until,
    throttles: next.throttles,
    throttledUntil: next.throttledUntil,
    lastFailure: { at: now, reason: "usageLimit", message },
  });
  return next.until;
}

/** Takes a credential for one that the API refuses. */
export async function mistrust(
  ctx: MutationCtx,
  row: Row,
  { reason, message }: { reason: FailureReason; message: string },
): Promise<void> {
  await ctx.db.patch("claudeCredentials", row._id, {
    status: row.status === "disabled" ? "disabled" : "failing",
    limitedUntil: undefined,
    lastFailure: { at: Clock.now(), reason, message },
  });
}

/** Notes what the API told of the windows of a credential; writes only what is new. */
export async function note(
  ctx: MutationCtx,
  row: Row,
  windows: readonly UsageWindow[],
): Promise<void> {
  const merged = mergeWindows(row.windows, windows);
  if (merged !== null) await ctx.db.patch("claudeCredentials", row._id, { windows: merged });
}

/** Limited credentials whose limit has ended by now. */
export async function due(ctx: QueryCtx, now: number): Promise<Row[]> {
  return ctx.db
    .query("claudeCredentials")
    .withIndex("by_status", (q) =>
      q.eq("status", "limited").gt("limitedUntil", 0).lte("limitedUntil", now),
    )
    .take(CREDENTIALS_MAX);
}

/** Credentials of the deployment that the API refuses, for the rules of alerts. */
export async function failing(ctx: QueryCtx): Promise<Row[]> {
  return ctx.db
    .query("claudeCredentials")
    .withIndex("by_owner", (q) => q.eq("executorId", undefined).eq("status", "failing"))
    .take(CREDENTIALS_MAX);
}

/** All credentials as people see them, newest first. */
export async function list(ctx: QueryCtx): Promise<CredentialView[]> {
  const rows = await ctx.db
    .query("claudeCredentials")
    .order("desc")
    .take(2 * CREDENTIALS_MAX);
  return Promise.all(rows.map((row) => view(ctx, row)));
}

async function view(ctx: QueryCtx, row: Row): Promise<CredentialView> {
  const { _id, kind, label, executorId, status, windows, concurrency } = row;
  return {
    ...{ credentialId: _id, kind, label, status, windows, concurrency },
    inFlight: executorId === undefined ? await inFlight(ctx, _id) : null,
    ...(executorId === undefined ? {} : { executorId }),
    ...(row.limitedUntil === undefined ? {} : { limitedUntil: row.limitedUntil }),
    ...(row.lastFailure === undefined ? {} : { lastFailure: row.lastFailure }),
  };
}
