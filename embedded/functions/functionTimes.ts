/** How long functions may run, in ms. */
export type FunctionTimes = {
  /** User code of queries and mutations, without the work of the host. */
  userMs: number;
  /** Actions and HTTP actions from start to end; "use node" ones have less. */
  actionMs: number;
  nodeActionMs: number;
  /** What an action may compute without waiting for anything: nobody else is served meanwhile. */
  actionStretchMs: number;
};
export const FUNCTION_TIMES: FunctionTimes = {
  userMs: 1_000,
  actionMs: 1_800_000,
  nodeActionMs: 600_000,
  actionStretchMs: 10_000,
};
/**
 * Queries and mutations are stopped from outside after so many times the time of user code, for
 * those that never call the host. More than once, because the time of the wall passes on a machine
 * that is busy with other things, and host work counts too.
 */
export const STRETCH_FACTOR = 5;
/** Evaluating the modules of a push. */
export const IMPORT_STRETCH_MS = 5_000;

/** Calls to the host that an action has under way at a time; more wait. */
export const ACTION_CALLS_MAX = 8;
/** Arguments and results, as JSON. */
export const JSON_BYTES_MAX = 16 * 1024 * 1024;

export const stuckText = (ms: number): string =>
  `Function execution timed out (maximum duration: ${ms / 1_000}s without waiting for anything)`;

export const timedOutText = (ms: number): string =>
  `Function execution timed out (maximum duration: ${ms / 1_000}s)`;
