import { v } from "convex/values";
import { internalQuery } from "./_generated/server.js";
import { type Person, requireRegistered, requireUser } from "./lib/functions.js";
import { role } from "./protocol/view.js";

/** For the wrappers of actions, which read no tables: who calls, if he has at least this role. */
export const person = internalQuery({
  args: { needed: role },
  returns: v.object({
    user: v.object({ _id: v.id("users"), username: v.string(), role }),
    sessionId: v.union(v.null(), v.id("sessions")),
    actor: v.string(),
  }),
  handler: async (ctx, { needed }): Promise<Person> => {
    const { user, sessionId, actor } = await requireUser(ctx, needed);
    return { user: { _id: user._id, username: user.username, role: user.role }, sessionId, actor };
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
