/** What the actors of a simulated world have in common: time, chance, and a network that is not to be trusted. */
import type { Id } from "../../convex/_generated/dataModel.js";
import type { Identity } from "../../embedded/functions/types.js";
import type { Value } from "convex/values";
import type { Random } from "../embedded/fireRandom.js";
import type { Trace } from "./queueTrace.js";

export const ISSUER = "https://queue.test";

export type Answer = { ok: true; value: unknown } | { ok: false; code: string };

/** A call that goes over the network: it may be lost, come twice, come late, or its answer may. */
export type Message = {
  from: string;
  name: string;
  args: Record<string, Value>;
  identity: Identity;
  /** Whether the sender is cut off, asked when the message or its answer would arrive. */
  isCutOff?: () => boolean;
  onReply?: (value: unknown) => void;
  onRefused?: (code: string) => void;
  /** No answer came in time; the call may have been carried out all the same. */
  onLost?: () => void;
};

export type Stage = {
  readonly random: Random;
  readonly trace: Trace;
  now(): number;
  /** Faults are over: everything is to come to its end. */
  isHealing(): boolean;
  later(delayMs: number, what: string, act: () => void | Promise<void>): void;
  send(message: Message): void;
  /** A query, at once; what it answers may be old by the time it is heard of. */
  ask(message: Pick<Message, "name" | "args" | "identity">): Promise<Answer>;
  /** A row put in from outside. */
  insert(table: string, fields: Record<string, Value>): Promise<string>;
};

export type JobId = Id<"jobs">;

/** Of the people: by their session. Of executors: by their process. */
export function identityOf(
  of: "user" | "executor",
  claims: Record<string, string | number>,
): Identity {
  return { kind: "user", claims: { issuer: `${ISSUER}/${of}`, ...claims }, expiresAtMs: null };
}
