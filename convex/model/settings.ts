import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";

/** Whether the first administrator was made; holds for good, whatever becomes of the users. */
export async function isSetUp(ctx: QueryCtx): Promise<boolean> {
  return (await ctx.db.query("settings").first()) !== null;
}

export async function markSetUp(ctx: MutationCtx): Promise<void> {
  await ctx.db.insert("settings", { setUpAt: Clock.now() });
}
