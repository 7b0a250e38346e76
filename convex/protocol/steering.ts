import { type Infer, v } from "convex/values";

// -- what people say to a job under way --

export const steeringKind = v.union(
  /** A message to the run; one that does not run yet hears it when it does. */
  v.literal("message"),
  /** Ends the tools under way; with a text the run goes on with that, without it ends there. */
  v.literal("interrupt"),
  /** Lets the tools under way end, then ends the run. */
  v.literal("stopAfterTurn"),
);
export type SteeringKind = Infer<typeof steeringKind>;

export const steeringState = v.union(
  /** No executor has it yet. */
  v.literal("sent"),
  /** The executor of `attempt` has it. */
  v.literal("delivered"),
  /** The run took it up. */
  v.literal("acknowledged"),
  /** The executor could not do it. */
  v.literal("refused"),
  /** The job, or the attempt it was for, ended before. */
  v.literal("undelivered"),
);
export type SteeringState = Infer<typeof steeringState>;

/** A command to a job as people see it; what looks like a secret is taken out of its text. */
export const steeringView = v.object({
  steeringId: v.id("steering"),
  kind: steeringKind,
  text: v.optional(v.string()),
  by: v.string(),
  at: v.number(),
  state: steeringState,
  /** The attempt that has it, or had it last. */
  attempt: v.optional(v.number()),
  /** When it came to its state. */
  stateAt: v.number(),
  /** Why it was refused or not delivered. */
  reason: v.optional(v.string()),
});
export type SteeringView = Infer<typeof steeringView>;

/** A command as the executor of the running attempt gets it. */
export const steeringOrder = v.object({
  steeringId: v.id("steering"),
  kind: steeringKind,
  /** A UUID, by which the CLI tells that it took the text up. */
  messageId: v.string(),
  text: v.optional(v.string()),
});
export type SteeringOrder = Infer<typeof steeringOrder>;

// -- what a run asks people --

/** Which calls of tools wait for a person: `Bash`, `Bash(git push*)`, `mcp__db__*`, `*`. */
export const approval = v.object({
  tools: v.array(v.string()),
  /** How long a call waits for its answer, ms; then it is refused. */
  answerMs: v.optional(v.number()),
});
export type Approval = Infer<typeof approval>;

export const questionState = v.union(
  v.literal("open"),
  v.literal("allowed"),
  v.literal("refused"),
  /** Nobody answered in time: refused. */
  v.literal("expired"),
  /** The job ended before an answer. */
  v.literal("withdrawn"),
);

/** A call of a tool that a run put off until a person answers. */
export const askedCall = v.object({
  /** The call's id in the conversation. */
  toolUseId: v.string(),
  tool: v.string(),
  /** What it is called with, as JSON, cut and without known secrets. */
  input: v.string(),
});
export type AskedCall = Infer<typeof askedCall>;

/** A question as people see it. */
export const questionView = v.object({
  questionId: v.id("questions"),
  jobId: v.id("jobs"),
  /** The attempt that asked. */
  attempt: v.number(),
  tool: v.string(),
  input: v.string(),
  askedAt: v.number(),
  /** Refused if nobody answers by then. */
  deadlineAt: v.number(),
  state: questionState,
  answeredAt: v.optional(v.number()),
  answeredBy: v.optional(v.string()),
  /** What the person said with the answer. */
  text: v.optional(v.string()),
});
export type QuestionView = Infer<typeof questionView>;
