import { rm } from "node:fs/promises";
import { isStale } from "./attemptEnding.js";
import type { Backend, Ending } from "./backend.js";
import { type Clock, within } from "./clock.js";
import { insist } from "./insist.js";
import type { Leftover } from "./journal.js";
import type { Logger } from "./logger.js";
import { batchOf } from "./logShipper.js";

type SettleDependencies = {
  backend: Pick<Backend, "appendLog" | "finish">;
  clock: Clock;
  logger: Logger;
};

/** The log of one attempt; then its end goes first. */
const LOG_MS = 5_000;
const ALL_MS = 15_000;

/**
 * Tells what earlier processes of this executor could not: the rest of the log, then how the attempt
 * ended. An attempt that had not ended is given back. What the deployment does not want any more is
 * dropped, and that is said; what it does not take for another reason is kept for the next process.
 * Never rejects.
 */
export async function settleAll(
  leftovers: readonly Leftover[],
  deps: SettleDependencies,
): Promise<void> {
  const all = leftovers.map((leftover) => settle(leftover, deps));
  await within(deps.clock, ALL_MS, Promise.all(all));
}

async function settle(leftover: Leftover, deps: SettleDependencies): Promise<void> {
  const { backend, clock, logger } = deps;
  const { held, entries, ending, file } = leftover;
  let refusal: unknown;
  const goOn = (error: unknown): boolean => {
    refusal = error;
    return !isStale(error);
  };
  await within(clock, LOG_MS, sendLog(leftover, deps)).catch((error: unknown) => {
    if (goOn(error)) logger.warn("journalCut", { ...held, why: String(error) });
  });
  const isTaken =
    !isStale(refusal) &&
    (await insist(clock, () => backend.finish(held, ending ?? lostEnding()), goOn));
  if (isTaken) {
    const hadEnded = ending !== undefined;
    logger.info("journalSettled", { ...held, entries: entries.length, hadEnded });
  } else if (isStale(refusal)) {
    const why = "the attempt is no longer this executor's";
    logger.warn("journalDropped", { ...held, entries: entries.length, why });
  } else {
    logger.warn("journalKept", { ...held, entries: entries.length, why: String(refusal) });
    return;
  }
  await rm(file, { force: true }).catch((error: unknown) => {
    logger.warn("journalNotRemoved", { file, why: String(error) });
  });
}

async function sendLog({ held, seq, entries }: Leftover, deps: SettleDependencies): Promise<void> {
  const { backend, clock } = deps;
  const at = clock.now();
  const text = "the executor ended without warning; its next process sent what it had left";
  const all = [...entries, { at, kind: "marker" as const, text }];
  for (let from = 0; from < all.length;) {
    const { nextSeq } = await backend.appendLog(held, seq + from, batchOf(all.slice(from)));
    // Behind our first one there is a gap that nobody can fill.
    if (nextSeq <= seq + from) return;
    from = nextSeq - seq;
  }
}

/** The end of an attempt whose process was gone before it. */
export function lostEnding(): Ending {
  const message = "The executor's process ended before the attempt did.";
  return {
    outcome: { kind: "failed", reason: "leaseExpired", message },
    report: {
      costUsd: 0,
      tokens: { input: 0, output: 0, cacheRead: 0, cacheCreation: 0 },
      turns: 0,
      permissionDenials: 0,
    },
  };
}
