/**
 * The messages of the sync protocol, in wire form and in memory form. Parsing and encoding happen
 * here and nowhere else. Timestamps are bigint (nanoseconds) in memory and base64 of 8 bytes, little
 * endian, on the wire.
 */
import type { JSONValue } from "convex/values";
import { z } from "zod";
import { syncLimits } from "./limits.js";

const TIMESTAMP_BYTES = 8;

/** Encodes a timestamp (nanoseconds, 0 ≤ ts < 2^64) as the wire writes it. */
export function encodeTimestamp(ts: bigint): string {
  const bytes = Buffer.alloc(TIMESTAMP_BYTES);
  bytes.writeBigUInt64LE(ts);
  return bytes.toString("base64");
}

/** Reads a wire timestamp; throws RangeError when it is not base64 of exactly 8 bytes. */
export function decodeTimestamp(encoded: string): bigint {
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.length !== TIMESTAMP_BYTES || bytes.toString("base64") !== encoded) {
    throw new RangeError(`timestamp is not base64 of ${TIMESTAMP_BYTES} bytes`);
  }
  return bytes.readBigUInt64LE();
}

export type StateVersion = { querySet: number; identity: number; ts: bigint };

const count = z.int().nonnegative();
const path = z.string().min(1).max(4_096);
/** JSON.parse made the value, so it is a JSONValue; its shape is judged by the function it is for. */
const json = z.custom<JSONValue>((value) => value !== undefined);
const argumentList = z.array(json).max(1);
const timestamp = z.string().transform((encoded, context) => {
  try {
    return decodeTimestamp(encoded);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    context.addIssue({ code: "custom", message: error.message });
    return z.NEVER;
  }
});

const connect = z.object({
  type: z.literal("Connect"),
  sessionId: z.guid(),
  connectionCount: count,
  lastCloseReason: z.string().nullable(),
  maxObservedTimestamp: timestamp.optional(),
  clientTs: z.number().optional(),
});
const authenticate = z.discriminatedUnion("tokenType", [
  z.object({
    type: z.literal("Authenticate"),
    tokenType: z.literal("Admin"),
    baseVersion: count,
    value: z.string(),
    impersonating: z.record(z.string(), json).optional(),
    acting_as: z.record(z.string(), json).optional(),
  }),
  z.object({
    type: z.literal("Authenticate"),
    tokenType: z.literal("User"),
    baseVersion: count,
    value: z.string(),
  }),
  z.object({
    type: z.literal("Authenticate"),
    tokenType: z.literal("None"),
    baseVersion: count,
  }),
]);
const addQuery = z.object({
  type: z.literal("Add"),
  queryId: count,
  udfPath: path,
  args: argumentList,
  journal: z.string().nullish(),
  componentPath: z.string().nullish(),
});
const removeQuery = z.object({ type: z.literal("Remove"), queryId: count });
const modifyQuerySet = z.object({
  type: z.literal("ModifyQuerySet"),
  baseVersion: count,
  newVersion: count,
  modifications: z
    .array(z.discriminatedUnion("type", [addQuery, removeQuery]))
    .max(syncLimits.modificationsMax),
});
const call = {
  requestId: count,
  udfPath: path,
  args: argumentList,
  componentPath: z.string().nullish(),
};
const mutation = z.object({ type: z.literal("Mutation"), ...call });
const action = z.object({ type: z.literal("Action"), ...call });
const event = z.object({ type: z.literal("Event"), eventType: z.string(), event: json });

const schemas = {
  Connect: connect,
  Authenticate: authenticate,
  ModifyQuerySet: modifyQuerySet,
  Mutation: mutation,
  Action: action,
  Event: event,
} as const;

/** Messages of a client, in memory form. */
export type ClientMessage = z.output<(typeof schemas)[keyof typeof schemas]>;
export type ClientMessageOf<T extends ClientMessage["type"]> = Extract<ClientMessage, { type: T }>;
export type QueryModification = ClientMessageOf<"ModifyQuerySet">["modifications"][number];
export type AddedQuery = Extract<QueryModification, { type: "Add" }>;

/** A client broke the protocol. The session answers FatalError with the message and closes. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}

/** Reads one inbound frame. Throws ProtocolError with what is wrong and where. */
export function parseClientMessage(text: string): ClientMessage {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ProtocolError(`message is not JSON: ${error.message}`);
  }
  const type = z.object({ type: z.string() }).safeParse(raw).data?.type;
  if (type === undefined) throw new ProtocolError("message has no type");
  if (!Object.hasOwn(schemas, type)) throw new ProtocolError(`unknown message type "${type}"`);
  // hasOwn has just proved that the name is a key of the table.
  const parsed = schemas[type as keyof typeof schemas].safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = issue === undefined ? "" : ` at ${issue.path.join(".") || "the top"}`;
    throw new ProtocolError(`malformed ${type}${where}: ${issue?.message ?? "unknown reason"}`);
  }
  return parsed.data;
}

export type StateModification =
  | {
      type: "QueryUpdated";
      queryId: number;
      value: JSONValue;
      logLines: string[];
      journal: string | null;
    }
  | {
      type: "QueryFailed";
      queryId: number;
      errorMessage: string;
      errorData?: JSONValue;
      logLines: string[];
      journal: string | null;
    }
  | { type: "QueryRemoved"; queryId: number };

export type Transition = {
  type: "Transition";
  startVersion: StateVersion;
  endVersion: StateVersion;
  modifications: StateModification[];
  /** Milliseconds the client's clock is ahead; left out when unknown (null would alarm the client). */
  clientClockSkew?: number;
  /** Nanoseconds since the epoch. */
  serverTs: number;
};

type Failed = {
  requestId: number;
  success: false;
  result: string;
  errorData?: JSONValue;
  logLines: string[];
};
type Succeeded = { requestId: number; success: true; result: JSONValue; logLines: string[] };

/** Messages of the server, in memory form. */
export type ServerMessage =
  | Transition
  | ({ type: "MutationResponse" } & ((Succeeded & { ts: bigint }) | Failed))
  | ({ type: "ActionResponse" } & (Succeeded | Failed))
  | { type: "AuthError"; error: string; baseVersion: number; authUpdateAttempted: boolean }
  | { type: "FatalError"; error: string }
  | { type: "Ping" };

const encodeVersion = (version: StateVersion) => ({
  ...version,
  ts: encodeTimestamp(version.ts),
});

function encodeMessage(message: ServerMessage): string {
  switch (message.type) {
    case "Transition":
      return JSON.stringify({
        ...message,
        startVersion: encodeVersion(message.startVersion),
        endVersion: encodeVersion(message.endVersion),
      });
    case "MutationResponse":
      return JSON.stringify(
        message.success
          ? { ...message, ts: encodeTimestamp(message.ts) }
          : { ...message, ts: null },
      );
    case "ActionResponse":
    case "AuthError":
    case "FatalError":
    case "Ping":
      return JSON.stringify(message);
  }
}

/**
 * The frames one message becomes: one, or several TransitionChunks for a long Transition. The client
 * joins the chunks and parses the result.
 */
export function encodeFrames(
  message: ServerMessage,
  chunkChars: number = syncLimits.transitionChunkChars,
): string[] {
  const text = encodeMessage(message);
  if (message.type !== "Transition" || text.length <= chunkChars) return [text];
  const transitionId = `${message.endVersion.ts}-${message.endVersion.querySet}-${message.endVersion.identity}`;
  const parts = chop(text, chunkChars);
  return parts.map((chunk, partNumber) =>
    JSON.stringify({
      type: "TransitionChunk",
      chunk,
      partNumber,
      totalParts: parts.length,
      transitionId,
    }),
  );
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;

/** Pieces of at most `size` UTF-16 units that never cut a surrogate pair in two. */
function chop(text: string, size: number): string[] {
  const parts: string[] = [];
  for (let start = 0; start < text.length;) {
    const full = Math.min(start + size, text.length);
    const cutsPair = full < text.length && isHighSurrogate(text.charCodeAt(full - 1)) && size > 1;
    const end = cutsPair ? full - 1 : full;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}
