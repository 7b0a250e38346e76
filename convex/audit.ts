/** The audit, for administrators to read. Nothing changes or removes a line but retention. */
import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { internalQuery } from "./_generated/server.js";
import { userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import { auditFilter, auditView } from "./protocol/identity.js";
import { AUDIT_EXPORT_PAGE } from "./protocol/limits.js";

const page = v.object({
  lines: v.string(),
  count: v.number(),
  isDone: v.boolean(),
  cursor: v.string(),
});

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

/** A page of lines, oldest first, as JSON lines; ask again with `cursor` until `isDone`. */
const exportLines = userQuery("administrator")({
  args: { filter: v.optional(auditFilter), cursor: v.union(v.null(), v.string()) },
  returns: page,
  handler: async (ctx, { filter = {}, cursor }) =>
    Audit.exportPage(ctx, filter, { cursor, numItems: AUDIT_EXPORT_PAGE }),
});

/** `audit:export`: the word cannot be declared, only named. */
export { exportLines as export };

/** The same for whoever holds the deployment key: `npx convex run audit:exportAll '{"cursor": null}'`. */
export const exportAll = internalQuery({
  args: { filter: v.optional(auditFilter), cursor: v.union(v.null(), v.string()) },
  returns: page,
  handler: async (ctx, { filter = {}, cursor }) =>
    Audit.exportPage(ctx, filter, { cursor, numItems: AUDIT_EXPORT_PAGE }),
});
