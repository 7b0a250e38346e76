/** Runs user code to its end: its answer, its failure, or the finding that it has none. */
import type { Execution } from "./execution.js";
import { FunctionFailure, failureOf } from "./failure.js";
import type { Isolate } from "./isolate.js";
import { timedOutText } from "./functionTimes.js";
import { cancelTurn, nextTurn, startTimer, stopTimer } from "./turns.js";

/** Turns of the event loop without anything pending after which a promise is given up. */
const IDLE_TURNS_MAX = 50;

/**
 * The value that `call` gives in the isolate, after all host calls it made are done; then it can do
 * nothing more. Throws FunctionFailure, or what ended the run from outside (a conflict).
 */
export async function invoke(
  isolate: Isolate,
  execution: Execution,
  call: () => unknown,
): Promise<unknown> {
  try {
    return await invokeOpen(isolate, execution, call);
  } finally {
    execution.stop();
  }
}

/** The same, but that what has answered may go on: whoever asked stops the execution. */
export async function invokeOpen(
  isolate: Isolate,
  execution: Execution,
  call: () => unknown,
): Promise<unknown> {
  isolate.execution = execution;
  try {
    const value = await settled(isolate, execution, call).finally(() => {
      execution.pause();
    });
    await execution.drain();
    if (execution.fatal !== null) throw execution.fatal;
    if (execution.unhandled !== null) throw failureOf(execution.unhandled);
    return value;
  } catch (error) {
    execution.stop();
    // Lets what user code has left on the microtask queue run out: the isolate is used again.
    await new Promise<void>((resolve) => {
      process.nextTick(resolve);
    });
    if (execution.fatal !== null) throw execution.fatal;
    throw failureOf(error);
  }
}

function settled(isolate: Isolate, execution: Execution, call: () => unknown): Promise<unknown> {
  const running = new Promise<unknown>((resolve, reject) => {
    execution.onStuck = reject;
    // What calls us may itself be within a stretch of another function.
    void Promise.resolve().then(() => {
      isolate.enter(() => {
        isolate.watch(call, resolve, reject);
      });
    });
  });
  if (execution.kind === "action") {
    isolate.keepGoing();
    return withinTime(running, execution.actionMs);
  }
  return new Promise((resolve, reject) => {
    let idleTurns = 0;
    let turn: NodeJS.Immediate;
    const look = (): void => {
      const isBusy = execution.pendingCalls > 0 || isolate.hostWork > 0;
      idleTurns = isBusy ? 0 : idleTurns + 1;
      if (idleTurns > IDLE_TURNS_MAX) {
        reject(new FunctionFailure("Returned promise will never resolve"));
        return;
      }
      turn = nextTurn(look);
      // It may wait for a promise of the host: bytes of a Blob.
      if (!isBusy) isolate.enter(() => undefined);
    };
    turn = nextTurn(look);
    running
      .finally(() => {
        cancelTurn(turn);
      })
      .then(resolve, reject);
  });
}

/** What the action does after that time is ignored. */
function withinTime(running: Promise<unknown>, ms: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = startTimer(() => {
      reject(new FunctionFailure(timedOutText(ms), { code: "TimedOut" }));
    }, ms);
    running
      .finally(() => {
        stopTimer(timer);
      })
      .then(resolve, reject);
  });
}
