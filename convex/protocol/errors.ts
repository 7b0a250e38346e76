/**
 * Codes carried by ConvexError({ code, message }). People and programs branch on the code, never on
 * the message.
 */
export const ERROR_CODES = [
  /** No identity, or one that is no longer good. */
  "UNAUTHENTICATED",
  /** The identity is good but its role is not enough. */
  "FORBIDDEN",
  /** What was named does not exist. */
  "NOT_FOUND",
  /** An argument that can never be right: malformed repository, ref, limit, prompt. */
  "INVALID_ARGUMENT",
  /** Too many calls for now; the message says when to come back. */
  "RATE_LIMITED",
  /** The state of the job, or of what else was named, does not allow what was asked. */
  "ILLEGAL_TRANSITION",
  /** The write carries a token that is no longer the job's: nothing was changed. */
  "STALE_LEASE",
  /** A newer process took over this executor's identity. */
  "SUPERSEDED",
  /** The executor was revoked. */
  "REVOKED",
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** The data of every ConvexError that the product throws. */
export type ErrorData = { code: ErrorCode; message: string };
