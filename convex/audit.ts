/** The audit, for administrators to read. Nothing changes or removes a line but retention. */
import { paginationOptsValidator } from "convex/server";
import { type Infer, v } from "convex/values";
import { internal } from "./_generated/api.js";
import {
  type ActionCtx,
  internalAction,
  internalMutation,
  internalQuery,
} from "./_generated/server.js";
import { userAction, userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as RateLimits from "./model/rateLimits.js";
import { auditFilter, auditView } from "./protocol/identity.js";
import { AUDIT_EXPORT_PAGE } from "./protocol/limits.js";

const asked = v.object({
  filter: v.optional(auditFilter),
  cursor: v.union(v.null(), v.string()),
});
const page = v.object({
  lines: v.string(),
  count: v.number(),
  isDone: v.boolean(),
  cursor: v.string(),
});
type Asked = Infer<typeof asked>;
type Page = Infer<typeof page>;

/** A page of lines, newest first. With several fields of a filter a page may be shorter than asked for. */
export const list = userQuery("administrator")({
  args: { filter: v.optional(auditFilter), paginationOpts: paginationOptsValidator },
  returns: v.object({
    page: v.array(auditView),
    isDone: v.boolean(),
    continueCursor: v.string(),
  }),
  handler: async (ctx, { filter = {}, paginationOpts }) => Audit.list(ctx, filter, paginationOpts),
});

/**
 * A page of lines, oldest first, as JSON lines; ask again with `cursor` until `isDone`. The first page
 * of an export leaves a line itself, `audit.exported`.
 */
const exportLines = userAction("administrator")({
  args: asked.fields,
  returns: page,
  handler: async (ctx, args): Promise<Page> => {
    await RateLimits.demand(ctx, "exportsOfAccount", { key: ctx.user._id });
    return exported(ctx, args, ctx.actor);
  },
});

/** `audit:export`: the word cannot be declared, only named. */
export { exportLines as export };

/** The same for whoever holds the deployment key: `npx convex run audit:exportAll '{"cursor": null}'`. */
export const exportAll = internalAction({
  args: asked.fields,
  returns: page,
  handler: async (ctx, args): Promise<Page> => exported(ctx, args, "operator"),
});

async function exported(
  ctx: Pick<ActionCtx, "runMutation" | "runQuery">,
  args: Asked,
  actor: string,
): Promise<Page> {
  const { filter } = args;
  if (args.cursor === null) {
    const detail = filter === undefined ? "everything" : JSON.stringify(filter);
    await ctx.runMutation(internal.audit.noteExport, { actor, detail });
  }
  return ctx.runQuery(internal.audit.exportPage, args);
}

export const noteExport = internalMutation({
  args: { actor: v.string(), detail: v.string() },
  returns: v.null(),
  handler: async (ctx, { actor, detail }) => {
    await Audit.write(ctx, { action: "audit.exported", actor, detail });
    return null;
  },
});

export const exportPage = internalQuery({
  args: asked.fields,
  returns: page,
  handler: async (ctx, { filter = {}, cursor }) =>
    Audit.exportPage(ctx, filter, { cursor, numItems: AUDIT_EXPORT_PAGE }),
});
