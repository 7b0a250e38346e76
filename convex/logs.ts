import { v } from "convex/values";
import { checkAppend } from "./domain/logTail.js";
import { accept } from "./lib/errors.js";
import { executorMutation, userQuery } from "./lib/functions.js";
import * as Attempts from "./model/attempts.js";
import * as Logs from "./model/logs.js";
import { appendReply, logEntry, logTail } from "./protocol/log.js";

/** Adds entries to the log of an attempt. What is kept already is skipped; a gap adds nothing. */
export const append = executorMutation({
  args: { jobId: v.id("jobs"), token: v.number(), seq: v.number(), entries: v.array(logEntry) },
  returns: appendReply,
  handler: async (ctx, { jobId, token, seq, entries }) => {
    const job = await Attempts.requireToken(ctx, ctx.executor, { jobId, token });
    const batch = accept(checkAppend({ seq, entries }));
    return { nextSeq: await Logs.append(ctx, job, batch) };
  },
});

/** The live end of an attempt's log, to subscribe to. */
export const tail = userQuery("viewer")({
  args: { jobId: v.id("jobs"), attempt: v.number() },
  returns: logTail,
  handler: async (ctx, { jobId, attempt }) => Logs.tail(ctx, jobId, attempt),
});

/** One sealed chunk; throws NOT_FOUND until it is sealed. It never changes. */
export const chunk = userQuery("viewer")({
  args: { jobId: v.id("jobs"), attempt: v.number(), index: v.number() },
  returns: v.object({ firstSeq: v.number(), entries: v.array(logEntry) }),
  handler: async (ctx, args) => Logs.chunk(ctx, args),
});
