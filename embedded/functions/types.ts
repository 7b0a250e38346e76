/**
 * The seam between what runs functions (engine/, functions/) and what asks for it (http/, sync/,
 * deploy/, scheduler/). Values cross it as Convex's internal JSON, never as live objects.
 */
import type { JSONValue } from "convex/values";
import type { ReadSet } from "../engine/readSet.js";

export type Claims = Record<string, JSONValue>;

/** Who calls. `claims` is exactly what ctx.auth.getUserIdentity() answers. */
export type Identity =
  | { kind: "none" }
  | { kind: "user"; claims: Claims; expiresAtMs: number | null }
  | { kind: "admin"; name: string; actingAs: Claims | null };

/** What ctx.meta.getRequestMetadata() answers; all null for scheduled runs. */
export type RequestMetadata = {
  ip: string | null;
  userAgent: string | null;
  requestId: string;
  authToken: string | null;
};

export type FunctionCall = {
  /** "" is the root component. */
  componentPath: string;
  /** As the caller wrote it ("jobs:get", "jobs.js:get", "jobs"); canonicalised by the runner. */
  path: string;
  /** The argument object in internal JSON. */
  args: JSONValue;
  identity: Identity;
  request: RequestMetadata;
};

export type UdfType = "Query" | "Mutation" | "Action" | "HttpAction";

/** A failure as clients see it: `data` is present exactly when a ConvexError was thrown. */
export type FunctionError = {
  message: string;
  data?: JSONValue;
  /** Machine-readable cause where there is one: "NotFound", "Conflict", "TimedOut", "ArgumentValidation", "System". */
  code?: string;
};

export type Outcome<T> = ({ ok: true; value: T } | { ok: false; error: FunctionError }) & {
  logLines: string[];
};

export type QueryOutcome = Outcome<JSONValue> & {
  journal: string | null;
  /** Snapshot the query ran at. */
  ts: bigint;
  reads: ReadSet;
};
/** `ts` is the commit timestamp; the outcome is given out only after the commit is durable. */
export type MutationOutcome = Outcome<JSONValue> & { ts: bigint | null };
export type ActionOutcome = Outcome<JSONValue>;
/** `error` where the function failed and `response` says so. */
export type HttpActionOutcome = {
  response: Response;
  logLines: string[];
  error: FunctionError | null;
};

/** Dedup key of a WebSocket mutation: written in the mutation's own transaction. */
export type SessionRequest = { sessionId: string; requestId: number };

export interface FunctionRunner {
  /** The type of a function, or null when there is none. Internal functions are seen only by admins. */
  udfTypeOf(call: Pick<FunctionCall, "componentPath" | "path" | "identity">): UdfType | null;
  /** Runs at `ts` (must be a snapshot that is still held) or at the latest one. */
  query(
    call: FunctionCall,
    options?: { journal?: string | null; ts?: bigint },
  ): Promise<QueryOutcome>;
  /**
   * Retries conflicts; a repeated SessionRequest answers from the record of the first.
   * `onCommitted` is called when later calls see the effect, which is before it is durable.
   */
  mutation(
    call: FunctionCall,
    options?: { session?: SessionRequest; onCommitted?: () => void },
  ): Promise<MutationOutcome>;
  action(call: FunctionCall): Promise<ActionOutcome>;
  httpAction(
    request: Request,
    identity: Identity,
    metadata: RequestMetadata,
  ): Promise<HttpActionOutcome>;
}
