import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { POLICIES } from "../domain/retry.js";
import * as Clock from "../lib/clock.js";
import { fail } from "../lib/errors.js";
import type { ExecutorClaims } from "../lib/functions.js";
import type { Disk } from "../protocol/alerts.js";
import type {
  Directive,
  HeartbeatReply,
  HeldAttempt,
  LeaseHolder,
  Registration,
} from "../protocol/executor.js";
import type { FailureReason } from "../protocol/job.js";
import { HEALTH_COUNT_MAX, PAGE_SIZE_MAX } from "../protocol/limits.js";
import type { ExecutorView, ExecutorLeaseView } from "../protocol/view.js";
import * as Attempts from "./attempts.js";
import * as Audit from "./audit.js";
import * as Credentials from "./credentials.js";
import * as Jobs from "./jobs.js";
import * as Leases from "./leases.js";
import * as Slots from "./slots.js";
import * as Zombies from "./zombies.js";

/** Why all attempts of an executor are taken from it, and who does it. */
type Eviction = {
  reason: "superseded" | "revoked" | "shutdown";
  actor: string;
  /** It keeps these. */
  settling?: readonly HeldAttempt[];
};

/** What a process says when it registers. */
type Announcement = {
  registration: Registration;
  claims: ExecutorClaims;
  /** Attempts of an earlier process whose log and end it has. */
  settling: readonly HeldAttempt[];
};

/** Name of an executor as actor of an event. */
export const actorOf = (executor: Doc<"executors">) => `executor:${executor.name}`;

/** The executor; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, executorId: Id<"executors">): Promise<Doc<"executors">> {
  const executor = await ctx.db.get("executors", executorId);
  if (executor === null) throw fail("NOT_FOUND", `There is no executor ${executorId}.`);
  return executor;
}

/** The executor named in a token's subject; null when that is no id of one. */
export async function findByText(ctx: QueryCtx, text: string): Promise<Doc<"executors"> | null> {
  const executorId = ctx.db.normalizeId("executors", text);
  return executorId === null ? null : ctx.db.get("executors", executorId);
}

/** Adds an executor that has enrolled. Names need not differ: the id is the identity. */
export async function add(
  ctx: MutationCtx,
  enrolled: { name: string; publicJwk: Doc<"executors">["publicJwk"] },
): Promise<Id<"executors">> {
  return ctx.db.insert("executors", {
    ...enrolled,
    revoked: false,
    epoch: 0,
    presence: "enrolled",
    presenceSince: Clock.now(),
    unhealthy: null,
    draining: false,
    slots: 0,
    leaseMs: 0,
    version: "",
    cliVersion: "",
    labels: [],
  });
}

/**
 * A process announces itself. A newer process takes the identity over at once: what the earlier one
 * held goes back to the queue, unless it says that it settles it. An older one is refused with SUPERSEDED.
 * The same one again keeps what it holds. Registration also clears what made the executor unhealthy.
 */
export async function register(
  ctx: MutationCtx,
  before: Doc<"executors">,
  { registration, claims, settling }: Announcement,
): Promise<void> {
  const isSameProcess = before.boot === claims.boot;
  if (!isSameProcess && before.bootAt !== undefined && claims.bootAt <= before.bootAt) {
    throw fail("SUPERSEDED", `A newer process of executor ${before.name} has registered: end.`);
  }
  const isFight = !isSameProcess && (await Leases.find(ctx, before._id)) !== null;
  const takeovers = isFight ? await Zombies.note(ctx, before, claims) : {};
  if (!isSameProcess) {
    await evict(ctx, before, { reason: "superseded", actor: actorOf(before), settling });
  }
  const blocked = registration.login === before.login ? {} : { isLoginBlocked: undefined };
  await ctx.db.patch("executors", before._id, {
    ...registration,
    ...blocked,
    boot: claims.boot,
    bootAt: claims.bootAt,
    unhealthy: null,
    isDiskLow: undefined,
    ...takeovers,
    ...presence(before, "online"),
  });
  await Credentials.register(ctx, await get(ctx, before._id));
  const from = isFight ? ` took over from ${before.boot ?? "none"}` : "";
  const jail = registration.jail === undefined ? "" : `, jail ${registration.jail}`;
  const what = `process ${claims.boot}${from}, version ${registration.version}${jail}`;
  await note(ctx, before, { action: "executor.registered", detail: what });
  const lease = isSameProcess ? await Leases.find(ctx, before._id) : null;
  await open(ctx, before._id, { owed: lease?.owed ?? [] });
}

/** Who a heartbeat is of: as its lease knows it, or as its row does, where no lease does. */
type Beating = {
  executorId: Id<"executors">;
  holder: LeaseHolder;
  lease: Doc<"leases"> | null;
  executor: Doc<"executors"> | null;
};

/** Renews the lease and answers for each attempt the executor believes to hold. */
export async function heartbeat(
  ctx: MutationCtx,
  { executorId, holder, lease, executor }: Beating,
  { held, disk }: { held: HeldAttempt[]; disk: Disk | undefined },
): Promise<HeartbeatReply> {
  const directives: Directive[] = [];
  for (const claim of held) directives.push(await directiveFor(ctx, executorId, claim));
  if (lease === null && executor?.presence === "lost") {
    await comeBack(ctx, executor, { held, directives, disk });
  }
  if (lease !== null) {
    const isLow = disk?.isLow === true;
    if (isLow !== (lease.disk?.isLow === true)) await heedDisk(ctx, executorId, isLow);
    const isStillHeld = (owed: Leases.Owed[number]) =>
      held.some((h) => h.jobId === owed.jobId && h.token === owed.token);
    const owed = lease.owed.filter(isStillHeld);
    await Leases.renew(ctx, lease, { leaseMs: holder.leaseMs, owed, disk });
    for (const settled of lease.owed.filter((o) => !isStillHeld(o))) {
      await Slots.give(ctx, executorId, settled.ordinal);
    }
  }
  const { leaseMs, draining: drain, isRotationDue } = holder;
  return { leaseMs, drain, directives, ...(isRotationDue ? { rotateKey: true } : {}) };
}

/** What a held attempt is to do: three answers, one point read. */
async function directiveFor(
  ctx: QueryCtx,
  executorId: Id<"executors">,
  claim: HeldAttempt,
): Promise<Directive> {
  const job = await ctx.db.get("jobs", claim.jobId);
  if (job === null || !Attempts.holds(job, executorId, claim.token)) return "stop";
  return job.cancelRequestedAt === undefined ? "continue" : "cancel";
}

/**
 * A process that was silent for longer than its lease, and was not replaced, is back: it gets a new
 * lease, and owes a slot for each attempt that it must still stop. Its disk is what it says now: the
 * lease that knew it before is gone.
 */
async function comeBack(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  {
    held,
    directives,
    disk,
  }: { held: HeldAttempt[]; directives: Directive[]; disk: Disk | undefined },
): Promise<void> {
  const isDiskLow = disk?.isLow === true ? (true as const) : undefined;
  await ctx.db.patch("executors", executor._id, { ...presence(executor, "online"), isDiskLow });
  await note(ctx, executor, { action: "executor.back" });
  const stopping = held.filter((_, i) => directives[i] === "stop").slice(0, executor.slots);
  const owed = stopping.map((claim, ordinal) => ({ ...claim, ordinal }));
  await open(ctx, executor._id, { owed, disk });
}

/** Marks an executor as not to be used, if this reason says so: its free slots go. */
export async function blame(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  reason: FailureReason,
): Promise<void> {
  if (!POLICIES[reason].isExecutorUnhealthy) return;
  await Slots.withdraw(ctx, executor._id);
  await ctx.db.patch("executors", executor._id, { unhealthy: { reason, since: Clock.now() } });
  await note(ctx, executor, { action: "executor.unhealthy", detail: reason });
}

/** Keeps an executor from work because its own login may not be used, or ends that. */
export async function blockLogin(
  ctx: MutationCtx,
  executorId: Id<"executors">,
  isBlocked: boolean,
): Promise<void> {
  const isLoginBlocked = isBlocked ? (true as const) : undefined;
  await ctx.db.patch("executors", executorId, { isLoginBlocked });
  if (isBlocked) await Slots.withdraw(ctx, executorId);
  else await restoreSlots(ctx, executorId);
}

/** Gives an executor no work while its disk has no room for another attempt; what runs goes on. */
async function heedDisk(
  ctx: MutationCtx,
  executorId: Id<"executors">,
  isLow: boolean,
): Promise<void> {
  await ctx.db.patch("executors", executorId, { isDiskLow: isLow ? true : undefined });
  await note(ctx, await get(ctx, executorId), {
    action: isLow ? "executor.diskLow" : "executor.diskFree",
  });
  await restoreSlots(ctx, executorId);
}

/** Takes nothing new from now on; what runs goes on. */
export async function drain(ctx: MutationCtx, executor: Doc<"executors">): Promise<void> {
  await change(ctx, executor, { draining: true });
  await Slots.withdraw(ctx, executor._id);
}

/** Takes work again: ends a drain, and trusts an unhealthy executor anew. */
export async function resume(ctx: MutationCtx, executor: Doc<"executors">): Promise<void> {
  if (executor.revoked)
    throw fail("REVOKED", `Executor ${executor.name} was revoked: enrol it again.`);
  await change(ctx, executor, { draining: false, unhealthy: null });
  if (executor.unhealthy?.reason === "cliAuth") await Credentials.register(ctx, executor);
  await restoreSlots(ctx, executor._id);
}

/** Asks the executor for a new key: its next heartbeat's answer tells it. */
export async function requestRotation(ctx: MutationCtx, executor: Doc<"executors">): Promise<void> {
  if (executor.revoked)
    throw fail("REVOKED", `Executor ${executor.name} was revoked: enrol it again.`);
  await change(ctx, executor, { rotationRequestedAt: Clock.now() });
}

/** Puts a new key in the old one's place: tokens of the old one are refused, what runs goes on. */
export async function replaceKey(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  publicJwk: Doc<"executors">["publicJwk"],
): Promise<Doc<"executors">> {
  const epoch = executor.epoch + 1;
  return change(ctx, executor, { publicJwk, epoch, rotationRequestedAt: undefined });
}

/** Changes what the executor's lease repeats of it, in both. */
async function change(
  ctx: MutationCtx,
  { _id }: Doc<"executors">,
  fields: {
    draining?: boolean;
    unhealthy?: null;
    rotationRequestedAt?: number | undefined;
    epoch?: number;
    publicJwk?: Doc<"executors">["publicJwk"];
  },
): Promise<Doc<"executors">> {
  await ctx.db.patch("executors", _id, fields);
  const executor = await get(ctx, _id);
  await Leases.repeat(ctx, executor);
  return executor;
}

/** Ends an identity for good: its tokens are worthless, its attempts go back to the queue. */
export async function revoke(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  actor: string,
): Promise<void> {
  await ctx.db.patch("executors", executor._id, {
    revoked: true,
    epoch: executor.epoch + 1,
    ...presence(executor, "offline"),
  });
  await Credentials.forget(ctx, executor._id);
  await evict(ctx, executor, { reason: "revoked", actor });
}

/** The process ends by itself. */
export async function goOffline(ctx: MutationCtx, executor: Doc<"executors">): Promise<void> {
  await ctx.db.patch("executors", executor._id, presence(executor, "offline"));
  await note(ctx, executor, { action: "executor.offline" });
  await evict(ctx, executor, { reason: "shutdown", actor: actorOf(executor) });
}

/** The lease ran out: it is lost, has no lease and no slots. Its attempts are its caller's to take. */
export async function lose(ctx: MutationCtx, executorId: Id<"executors">): Promise<void> {
  const executor = await get(ctx, executorId);
  await ctx.db.patch("executors", executorId, presence(executor, "lost"));
  await note(ctx, executor, { action: "executor.lost" });
  await Slots.withdraw(ctx, executorId);
  await Leases.drop(ctx, executorId);
}

/** Takes everything from an executor: free slots, lease, and the attempts it holds. */
async function evict(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  { reason, actor, settling = [] }: Eviction,
): Promise<void> {
  await Slots.withdraw(ctx, executor._id);
  await Leases.drop(ctx, executor._id);
  for (const job of await Jobs.heldBy(ctx, executor._id)) {
    if (settling.some(({ jobId, token }) => jobId === job._id && token === job.token)) continue;
    await Jobs.apply(ctx, job, { event: { kind: "interrupt", reason, slot: "gone" }, actor });
  }
}

/** Grants a lease and makes the slots what they must be. */
async function open(
  ctx: MutationCtx,
  executorId: Id<"executors">,
  seen: { owed: Leases.Owed; disk?: Disk | undefined },
): Promise<void> {
  await Leases.grant(ctx, await get(ctx, executorId), seen);
  await restoreSlots(ctx, executorId);
}

async function restoreSlots(ctx: MutationCtx, executorId: Id<"executors">): Promise<void> {
  const executor = await get(ctx, executorId);
  const held = await Jobs.heldBy(ctx, executorId);
  const lease = await Leases.find(ctx, executorId);
  const owed = (lease?.owed ?? []).map((item) => item.ordinal);
  await Slots.restore(ctx, executor, [...held.map((job) => job.slot ?? -1), ...owed]);
}

/** A line in the audit about what became of an executor. */
async function note(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  line: { action: string; detail?: string },
): Promise<void> {
  await Audit.write(ctx, { ...line, actor: actorOf(executor), target: executor.name });
}

function presence(before: Doc<"executors">, now: Doc<"executors">["presence"]) {
  return before.presence === now ? {} : { presence: now, presenceSince: Clock.now() };
}

/** Executors, newest first. */
export async function list(ctx: QueryCtx): Promise<ExecutorView[]> {
  const rows = await ctx.db.query("executors").order("desc").take(PAGE_SIZE_MAX);
  return Promise.all(rows.map((row) => view(ctx, row)));
}

async function view(ctx: QueryCtx, row: Doc<"executors">): Promise<ExecutorView> {
  const { _id, name, presence: now, presenceSince, revoked, draining, unhealthy } = row;
  const { slots, version, cliVersion, labels, isLoginBlocked, isDiskLow, jail } = row;
  const freeSlots = (await Slots.free(ctx, _id)).length;
  const state = { presence: now, presenceSince, revoked, draining, unhealthy };
  const login = {
    ...(isLoginBlocked === undefined ? {} : { isLoginBlocked }),
    ...(isDiskLow === undefined ? {} : { isDiskLow }),
  };
  const build = { version, cliVersion, labels, ...(jail === undefined ? {} : { jail }) };
  return { executorId: _id, name, ...state, ...login, slots, freeSlots, ...build };
}

/** The leases of online executors, at most PAGE_SIZE_MAX. */
export async function leases(ctx: QueryCtx): Promise<ExecutorLeaseView[]> {
  const views: ExecutorLeaseView[] = [];
  for (const { _id, leaseMs } of await online(ctx)) {
    const lease = await Leases.find(ctx, _id);
    if (lease === null) continue;
    const { expiresAt, disk } = lease;
    const reported = disk === undefined ? {} : { disk };
    views.push({ executorId: _id, renewedAt: expiresAt - leaseMs, expiresAt, ...reported });
  }
  return views;
}

/** Executors that are online, at most PAGE_SIZE_MAX. */
export async function online(ctx: QueryCtx): Promise<Doc<"executors">[]> {
  return ctx.db
    .query("executors")
    .withIndex("by_presence", (q) => q.eq("presence", "online"))
    .order("desc")
    .take(PAGE_SIZE_MAX);
}

/** Online executors, counted up to HEALTH_COUNT_MAX. */
export async function countOnline(ctx: QueryCtx): Promise<number> {
  const rows = await ctx.db
    .query("executors")
    .withIndex("by_presence", (q) => q.eq("presence", "online"))
    .take(HEALTH_COUNT_MAX);
  return rows.length;
}
