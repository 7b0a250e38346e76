import type { TestConvex } from "convex-test";
import { internal } from "../../convex/_generated/api.js";
import { type Cursor, type Page, PARTS, type Violation } from "../../convex/protocol/selfAudit.js";
import type schema from "../../convex/schema.js";

/** Pages after which an audit of a test's world has gone wrong. */
const PAGES_MAX = 1_000;

/**
 * Checks every invariant of the queue over all rows there are; what it finds, tests expect to be []. To
 * be called between mutations, at any moment of a history.
 */
export async function auditEverything(t: Pick<TestConvex<typeof schema>, "query">) {
  const violations: Violation[] = [];
  for (const part of [...PARTS, "everything"] as const) {
    let cursor: Cursor = 0;
    for (let pages = 0; ; pages += 1) {
      if (pages === PAGES_MAX) throw new Error(`The audit of ${part} does not end`);
      const page: Page = await t.query(internal.selfAudit.check, { part, cursor });
      violations.push(...page.violations);
      if (page.isDone) break;
      cursor = page.cursor;
    }
  }
  return violations;
}
