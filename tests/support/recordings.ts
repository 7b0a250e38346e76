/** What the pinned CLI did in each row of the table of outcomes, as `npm run record:streams` saw it. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { findRoot } from "../../cli/root.js";
import type { CliRun } from "../../executor/claude/process.js";

/** One run: how its process ended, and its events, trimmed of what differs from run to run. */
export type Recording = {
  run: Pick<CliRun, "exit" | "stderr" | "isStopAsked">;
  events: Record<string, unknown>[];
};

const FILE = path.join(findRoot(), "tests/unit/fixtures/streams.json");

/** All recordings by the names of their rows. */
export function recordings(): Record<string, Recording> {
  // Written by recordStreams alone.
  return JSON.parse(readFileSync(FILE, "utf8")) as Record<string, Recording>;
}
