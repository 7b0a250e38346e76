/** One action over all jobs that meet a filter, followed to its end: what became of each is data. */
import type {
  Backend,
  BulkAction,
  BulkFilter,
  BulkOutcome,
  BulkView,
  Unsubscribe,
} from "./backend.js";
import type { Context } from "./context.js";
import { exitCodes } from "./errors.js";
import { interrupted } from "./interrupt.js";

export type Bulk = { backend: Backend; action: BulkAction; filter: BulkFilter; json: boolean };

/** Ends with 1 when a job was refused. */
export async function bulkToEnd(
  { backend, action, filter, json }: Bulk,
  { output, signal }: Context,
): Promise<number | undefined> {
  const operationId = await backend.startBulk(action, filter);
  const end = untilEnd(backend, operationId, ({ looked, done, refused }) => {
    output.progress(
      `${action}: ${String(done)} done, ${String(refused)} refused of ${String(looked)}`,
    );
  });
  // After Ctrl-C nobody waits for it any more.
  end.catch(() => undefined);
  const ended = await Promise.race([end, interrupted(signal)]);
  output.endProgress();
  if (ended === null) {
    output.say(`operation ${operationId} goes on in the background`);
    return exitCodes.interrupted;
  }
  const line = ({ jobId, ok, detail }: BulkOutcome): string =>
    json ? JSON.stringify({ jobId, ok, detail }) : `${jobId}  ${ok ? "" : "refused: "}${detail}`;
  for (let cursor: string | null = null, isDone = false; !isDone;) {
    const { page, ...next } = await backend.bulkOutcomes(operationId, cursor);
    for (const outcome of page) output.data(line(outcome));
    cursor = next.continueCursor;
    ({ isDone } = next);
  }
  output.say(`${String(ended.done)} done, ${String(ended.refused)} refused (${ended.status})`);
  return ended.refused > 0 || ended.status !== "done" ? exitCodes.failed : undefined;
}

async function untilEnd(
  backend: Backend,
  operationId: string,
  onProgress: (view: BulkView) => void,
): Promise<BulkView> {
  let unsubscribe: Unsubscribe | undefined;
  try {
    return await new Promise<BulkView>((resolve, reject) => {
      unsubscribe = backend.watchBulk(operationId, {
        onValue: (view) => {
          onProgress(view);
          if (view.status !== "running") resolve(view);
        },
        onError: reject,
      });
    });
  } finally {
    unsubscribe?.();
  }
}
