/** Answers given to mutations over WebSockets, so that a mutation sent again is not run again. */
import { CommitTsPlaceholder, type JSONValue } from "convex/values";
import { committedJson } from "../engine/commitTs.js";
import type { Transaction } from "../engine/transaction.js";
import type { SessionRequest } from "./types.js";

const TABLE = "_session_requests";

export type RecordedAnswer = { value: JSONValue; logLines: string[]; ts: bigint };

export function findAnswer(tx: Transaction, session: SessionRequest): RecordedAnswer | null {
  const range = [
    { type: "Eq", fieldPath: "sessionId", value: session.sessionId },
    { type: "Eq", fieldPath: "requestId", value: session.requestId },
  ] as const;
  for (const row of tx.scan(TABLE, { index: "by_session", range })) {
    // Rows are written by `recordAnswer` only.
    const { answer, ts } = row as unknown as { answer: string; ts: bigint };
    // It was recorded before its commit had a timestamp. Of this shape, as said above.
    const recorded = committedJson(answer, ts) as Omit<RecordedAnswer, "ts">;
    return { ...recorded, ts };
  }
  return null;
}

export function recordAnswer(
  tx: Transaction,
  session: SessionRequest,
  answer: { value: JSONValue; logLines: string[] },
): void {
  tx.insert(TABLE, {
    sessionId: session.sessionId,
    requestId: session.requestId,
    answer: JSON.stringify(answer),
    ts: new CommitTsPlaceholder(),
  });
}
