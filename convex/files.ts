import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import { internalMutation } from "./_generated/server.js";
import { fail } from "./lib/errors.js";
import { executorMutation } from "./lib/functions.js";
import * as Attempts from "./model/attempts.js";
import * as Files from "./model/files.js";
import { UPLOAD_URLS_MAX } from "./protocol/limits.js";

/**
 * URLs to which the holder of a live lease uploads files, one each, good for an hour. What is not
 * attached to something afterwards is deleted.
 */
export const uploadUrls = executorMutation({
  args: { jobId: v.id("jobs"), token: v.number(), count: v.number() },
  returns: v.array(v.string()),
  handler: async (ctx, { jobId, token, count }) => {
    await Attempts.requireToken(ctx, ctx.executor, { jobId, token });
    if (!Number.isInteger(count) || count < 1 || count > UPLOAD_URLS_MAX) {
      throw fail("INVALID_ARGUMENT", `count is ${count}; it must be 1 to ${UPLOAD_URLS_MAX}.`);
    }
    const urls: string[] = [];
    for (let i = 0; i < count; i += 1) urls.push(await ctx.storage.generateUploadUrl());
    return urls;
  },
});

/** Deletes files that were uploaded and never attached, by cron, a bounded step at a time. */
export const sweep = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    if (await Files.sweep(ctx)) await ctx.scheduler.runAfter(0, internal.files.sweep, {});
    return null;
  },
});
