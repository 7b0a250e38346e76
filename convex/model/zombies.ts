import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";
import type { ExecutorClaims } from "../lib/functions.js";
import { TAKEOVERS_MAX, TAKEOVERS_MS } from "../protocol/limits.js";
import * as Audit from "./audit.js";

/** What is written into the audit of a fight over an identity; an alert looks for it. */
export const ZOMBIE = "executor.zombie";

/**
 * Notes that a process took the identity from one whose lease was alive. Once is a quick restart; as
 * often as TAKEOVERS_MAX within TAKEOVERS_MS, two processes that are started again and again have the
 * same key and take it from each other. Then ZOMBIE goes into the audit, and the count
 * begins anew. Hands out what to write to the executor's row.
 */
export async function note(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  claims: ExecutorClaims,
): Promise<Pick<Doc<"executors">, "takeovers">> {
  const now = Clock.now();
  const before = executor.takeovers;
  const isRecent = before !== undefined && now - before.since < TAKEOVERS_MS;
  const takeovers = isRecent
    ? { count: before.count + 1, since: before.since }
    : { count: 1, since: now };
  if (takeovers.count < TAKEOVERS_MAX) return { takeovers };
  const detail =
    `${executor.name}: ${takeovers.count} takeovers since ${new Date(takeovers.since).toISOString()}: ` +
    `process ${claims.boot} from ${executor.boot ?? "none"}; is its key on two machines?`;
  const actor = `executor:${executor.name}`;
  await Audit.write(ctx, { action: ZOMBIE, actor, target: executor._id, detail });
  return { takeovers: { count: 0, since: now } };
}
