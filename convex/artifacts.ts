import { v } from "convex/values";
import { executorMutation, userQuery } from "./lib/functions.js";
import * as Artifacts from "./model/artifacts.js";
import * as Attempts from "./model/attempts.js";
import * as Jobs from "./model/jobs.js";
import { artifact, artifactView } from "./protocol/artifact.js";

/** What an attempt left behind, by name; of the job's latest attempt unless told. */
export const list = userQuery("viewer")({
  args: { jobId: v.string(), attempt: v.optional(v.number()) },
  returns: v.array(artifactView),
  handler: async (ctx, { jobId, attempt }) => {
    const job = await Jobs.getByText(ctx, jobId);
    return Artifacts.list(ctx, job._id, attempt ?? job.attempt);
  },
});

/** Where an artifact can be fetched from, by whoever knows the address. NOT_FOUND once it is deleted. */
export const url = userQuery("viewer")({
  args: { artifactId: v.id("artifacts") },
  returns: v.string(),
  handler: async (ctx, { artifactId }) => Artifacts.url(ctx, artifactId),
});

/**
 * Keeps an artifact whose file was uploaded before (`files:uploadUrls`). A repeat changes nothing.
 * INVALID_ARGUMENT: the file is not what it is said to be, or a bound is passed.
 */
export const attach = executorMutation({
  args: { jobId: v.id("jobs"), token: v.number(), artifact },
  returns: v.null(),
  handler: async (ctx, { jobId, token, artifact: given }) => {
    const job = await Attempts.requireToken(ctx, ctx.executor, { jobId, token });
    await Artifacts.attach(ctx, job, given);
    return null;
  },
});
