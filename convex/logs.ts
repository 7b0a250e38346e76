import { v } from "convex/values";
import { checkAppend } from "./domain/logTail.js";
import { accept } from "./lib/errors.js";
import { executorMutation, userQuery } from "./lib/functions.js";
import * as Attempts from "./model/attempts.js";
import * as Logs from "./model/logs.js";
import { LOG_CHUNKS_PER_READ_MAX } from "./protocol/limits.js";
import { appendReply, logChunk, logEntry, logTail } from "./protocol/log.js";

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

/**
 * The live end of an attempt's log, to subscribe to. With `after`, without the entries before that number:
 * who asks for what is new alone is sent each entry once.
 */
export const tail = userQuery("viewer")({
  args: { jobId: v.id("jobs"), attempt: v.number(), after: v.optional(v.number()) },
  returns: logTail,
  handler: async (ctx, args) => Logs.tail(ctx, args),
});

/** Up to 16 sealed chunks from this index on, which never change; ask once, do not subscribe. */
export const chunks = userQuery("viewer")({
  args: { jobId: v.id("jobs"), attempt: v.number(), from: v.number() },
  returns: v.array(logChunk),
  handler: async (ctx, args) => Logs.chunks(ctx, args, LOG_CHUNKS_PER_READ_MAX),
});

/** One sealed chunk; throws NOT_FOUND until it is sealed. It never changes. */
export const chunk = userQuery("viewer")({
  args: { jobId: v.id("jobs"), attempt: v.number(), index: v.number() },
  returns: v.object({ firstSeq: v.number(), entries: v.array(logEntry) }),
  handler: async (ctx, args) => Logs.chunk(ctx, args),
});
