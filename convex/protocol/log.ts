import { type Infer, v } from "convex/values";

export const LOG_KINDS = [
  /** Written by the executor itself: phases, outcomes, what was cut. */
  "marker",
  /** The model's words. */
  "text",
  /** A tool the model calls; text is one line of what it does. */
  "tool",
  /** What came back from a tool. */
  "toolResult",
  /** The CLI repeats a request, or hits a limit. */
  "retry",
  /** Any other line of the CLI, git included. */
  "stderr",
] as const;
export type LogKind = (typeof LOG_KINDS)[number];
export const logKind = v.union(...LOG_KINDS.map((k) => v.literal(k)));

/** One entry of an attempt's log. Entries of an attempt are numbered from 0 without gaps. */
export const logEntry = v.object({
  /** Executor's clock, ms since the epoch. */
  at: v.number(),
  kind: logKind,
  text: v.string(),
  /** With `tool` and `toolResult`: the CLI's id of the call, by which a result finds its tool. */
  call: v.optional(v.string()),
  /** With `tool`: its whole input as JSON, long texts in it cut; left out where it is longer than an entry. */
  input: v.optional(v.string()),
});
export type LogEntry = Infer<typeof logEntry>;

/** Answer to `logs:append`: entries below nextSeq are kept, send on from there. */
export const appendReply = v.object({ nextSeq: v.number() });
export type AppendReply = Infer<typeof appendReply>;

/** What a reader subscribes to: how many sealed chunks there are to fetch once, and the live tail. */
export const logTail = v.object({
  sealedChunks: v.number(),
  /** Sequence number of the tail's first entry. */
  tailSeq: v.number(),
  tail: v.array(logEntry),
});
export type LogTail = Infer<typeof logTail>;

/** A sealed piece of a log. */
export const logChunk = v.object({
  index: v.number(),
  firstSeq: v.number(),
  entries: v.array(logEntry),
});
export type LogChunk = Infer<typeof logChunk>;
