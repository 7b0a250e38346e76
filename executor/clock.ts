/** Time as a dependency: leases and batching are tested without waiting. */
export interface Clock {
  /** Milliseconds since the epoch: for what people read. */
  now(): number;
  /** Milliseconds of a clock that never jumps: for every deadline. */
  monotonic(): number;
  /** Runs `task` once after `ms`; the answer takes it back. */
  after(ms: number, task: () => void): Cancel;
}
export type Cancel = () => void;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    if (signal?.aborted === true) done();
    else signal?.addEventListener("abort", done, { once: true });
  });
}

/** What `work` resolves to, or `undefined` once `ms` have passed. The work itself goes on. */
export function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => {
      resolve(undefined);
    });
    work.then(resolve, reject).finally(cancel);
  });
}
