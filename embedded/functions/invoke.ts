/** Runs user code to its end: its answer, its failure, or the finding that it has none. */
import type { Execution } from "./execution.js";
import { FunctionFailure, failureOf } from "./failure.js";
import type { Isolate } from "./isolate.js";
import { timedOutText } from "./functionTimes.js";
import { cancelTurn, nextTurn, startTimer, stopTimer } from "./turns.js";

/** Turns of the event loop without anything pending after which a promise is given up. */
const IDLE_TURNS_MAX = 50;

/**
 * The value that `call` gives in the isolate, after all host calls it made are done. Throws
 * FunctionFailure, or what ended the run from outside (a conflict).
 */
export async function invoke(
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
  } finally {
    execution.stop();
  }
}

function settled(isolate: Isolate, execution: Execution, call: () => unknown): Promise<unknown> {
  const running = Promise.resolve().then(() => {
    execution.resume();
    return call();
  });
  if (execution.kind === "action") return withinTime(running, execution.actionMs);
  return new Promise((resolve, reject) => {
    let idleTurns = 0;
    let turn: NodeJS.Immediate;
    const look = (): void => {
      const isBusy = execution.pendingCalls > 0 || isolate.hostWork > 0;
      idleTurns = isBusy ? 0 : idleTurns + 1;
      if (idleTurns > IDLE_TURNS_MAX) {
        reject(new FunctionFailure("Returned promise will never resolve"));
      } else {
        turn = nextTurn(look);
      }
    };
    turn = nextTurn(look);
    running.then(
      (value) => {
        cancelTurn(turn);
        resolve(value);
      },
      (error: unknown) => {
        cancelTurn(turn);
        // Passed on as it was thrown: objects of the isolate's realm are not Error here.
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- see above
        reject(error);
      },
    );
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
