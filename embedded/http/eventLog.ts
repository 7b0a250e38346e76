/** Structured log: one JSON line on stderr for each event. Secrets are never passed in. */
export type EventLog = (event: string, fields?: Record<string, unknown>) => void;

const shown = (value: unknown): unknown =>
  value instanceof Error ? (value.stack ?? value.message) : value;

/** Writes lines through `write`, stamped with the wall clock (ISO 8601). */
export function createEventLog(write: (line: string) => void): EventLog {
  return (event, fields = {}) => {
    const plain = Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, shown(v)]));
    write(`${JSON.stringify({ at: new Date().toISOString(), event, ...plain })}\n`);
  };
}
