import { v } from "convex/values";
import { userMutation, userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as Templates from "./model/templates.js";
import { templateView } from "./protocol/queue.js";

/** Adds a version of a template; hands out its number. */
export const save = userMutation("operator")({
  args: { name: v.string(), text: v.string() },
  returns: v.number(),
  handler: async (ctx, args) => {
    const createdBy = `user:${ctx.user.username}`;
    const version = await Templates.save(ctx, { ...args, createdBy });
    const line = { actor: createdBy, target: args.name, detail: `version ${String(version)}` };
    await Audit.write(ctx, { action: "template.saved", ...line });
    return version;
  },
});

/** One version of a template; the newest if none is named. */
export const get = userQuery("viewer")({
  args: { name: v.string(), version: v.optional(v.number()) },
  returns: templateView,
  handler: async (ctx, { name, version }) =>
    Templates.view(await Templates.get(ctx, name, version)),
});

/** The newest version of each template, by name. */
export const list = userQuery("viewer")({
  args: {},
  returns: v.array(templateView),
  handler: async (ctx) => (await Templates.list(ctx)).map(Templates.view),
});
