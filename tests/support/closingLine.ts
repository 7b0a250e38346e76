import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/**
 * Ends a run with the one line machines read: "N passed, N failed, N skipped". Under `npm test` the
 * numbers go to the file named by FONDATION_TEST_COUNTS instead, and are added to those of the checks.
 */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      count.failed += module.errors().length > 0 ? 1 : 0;
      for (const test of module.children.allTests()) count[test.result().state] += 1;
    }
    // A test that never got a result did not pass.
    const numbers = {
      passed: count.passed,
      failed: count.failed + count.pending,
      skipped: count.skipped,
    };
    const file = process.env["FONDATION_TEST_COUNTS"];
    if (file !== undefined) {
      writeFileSync(file, JSON.stringify(numbers));
      return;
    }
    process.stdout.write(
      `\n${String(numbers.passed)} passed, ${String(numbers.failed)} failed, ${String(numbers.skipped)} skipped\n`,
    );
  }
}
