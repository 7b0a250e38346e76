import { v } from "convex/values";
import { internalQuery } from "./_generated/server.js";
import { requireRegistered, requireUser } from "./lib/functions.js";
import { role } from "./protocol/view.js";

/** For the wrappers of actions, which read no tables: who calls, if he has at least this role. */
export const person = internalQuery({
  args: { needed: role },
  returns: v.object({ username: v.string(), role }),
  handler: async (ctx, { needed }) => {
    const { user } = await requireUser(ctx, needed);
    return { username: user.username, role: user.role };
  },
});

/** The same for the registered process of an executor. */
export const executor = internalQuery({
  args: {},
  returns: v.object({ executorId: v.id("executors"), boot: v.string() }),
  handler: async (ctx) => {
    const { executor: row, claims } = await requireRegistered(ctx);
    return { executorId: row._id, boot: claims.boot };
  },
});
