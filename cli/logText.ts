/** Logs as data: whole entries, for people as text, for programs as JSON lines. */
import type { LogEntry } from "../convex/protocol/log.js";
import type { Backend, JobId } from "./backend.js";
import type { Context } from "./context.js";
import { followJob } from "./follow.js";
import { interrupted } from "./interrupt.js";
import { printable } from "./output.js";

type Log = { backend: Backend; jobId: JobId; json: boolean };

/** The log of one attempt as it is now. */
export async function showLog(
  { backend, jobId, attempt, json }: Log & { attempt: number },
  { output }: Context,
): Promise<void> {
  const { sealedChunks, tail } = await backend.getLogTail(jobId, attempt);
  for (let index = 0; index < sealedChunks; index += 1) {
    const { entries } = await backend.getLogChunk({ jobId, attempt, index });
    for (const entry of entries) output.data(lineOf(entry, json));
  }
  for (const entry of tail) output.data(lineOf(entry, json));
}

/** The log as it is written, until the job ends or Ctrl-C; hands out whether it was the job's end. */
export async function followLog(
  { backend, jobId, json }: Log,
  { output, signal }: Context,
): Promise<boolean> {
  const onEntry = (entry: LogEntry): void => {
    output.data(lineOf(entry, json));
  };
  const talk = { ...output, progress: () => undefined };
  const ended = followJob({ backend, jobId, output: talk, onEntry });
  // After Ctrl-C nobody waits for it any more.
  ended.catch(() => undefined);
  return (await Promise.race([ended, interrupted(signal)])) !== null;
}

function lineOf(entry: LogEntry, json: boolean): string {
  if (json) return JSON.stringify(entry);
  const { at, kind, text } = entry;
  return `${new Date(at).toISOString()} ${kind.padEnd(10)} ${printable(text.trimEnd())}`;
}
