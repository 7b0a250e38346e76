import type { Document } from "../engine/documents.js";

const VISIBLE = ["_id", "_creationTime", "name", "args", "scheduledTime", "completedTime", "state"];

/** What functions see of a scheduled function: not what the scheduler keeps beside it. */
export function scheduledFunctionView(row: Document): Document {
  const shown = Object.entries(row).filter(([name]) => VISIBLE.includes(name));
  // The system fields are among the visible ones.
  return Object.fromEntries(shown) as Document;
}
