import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { KEY_LIMIT_DEFAULT } from "../protocol/limits.js";
import type { Pause, QueueLimits } from "../protocol/queue.js";

/** What operators set for the whole queue. The row exists once something was set. */
export type Controls = Pick<Doc<"controls">, "paused" | "limits" | "credentials" | "budgets">;

const DEFAULTS: Controls = {
  paused: null,
  limits: { running: null, perSubmitter: null, perKey: KEY_LIMIT_DEFAULT },
};

export async function get(ctx: QueryCtx): Promise<Controls> {
  const row = await ctx.db.query("controls").first();
  return row ?? DEFAULTS;
}

/** Whether nothing is set but limits of gates: all else is for a pass to weigh. */
export function isPlain(controls: Controls): boolean {
  const { paused, limits, credentials, budgets } = controls;
  const isFree = credentials !== true && budgets !== true;
  return paused === null && limits.running === null && isFree;
}

/** From the commit of this on, no pass assigns anything: each reads this row. */
export async function setPause(ctx: MutationCtx, paused: Pause | null): Promise<void> {
  await write(ctx, { paused });
}

export async function setLimits(ctx: MutationCtx, limits: Partial<QueueLimits>): Promise<void> {
  await write(ctx, { limits: { ...(await get(ctx)).limits, ...limits } });
}

/** From now on assignments look for a credential, where the executor has no login of its own. */
export async function useCredentials(ctx: MutationCtx): Promise<void> {
  if ((await get(ctx)).credentials !== true) await write(ctx, { credentials: true });
}

/** From now on assignments look for the budgets that bound them. */
export async function useBudgets(ctx: MutationCtx): Promise<void> {
  if ((await get(ctx)).budgets !== true) await write(ctx, { budgets: true });
}

async function write(ctx: MutationCtx, change: Partial<Controls>): Promise<void> {
  const row = await ctx.db.query("controls").first();
  if (row === null) await ctx.db.insert("controls", { ...DEFAULTS, ...change });
  else await ctx.db.patch("controls", row._id, change);
}
