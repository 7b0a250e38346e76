/**
 * How long user code has run, without what the host did for it. A function that took too long is
 * found out when it next calls the host or ends, and then nothing of it is committed; one that does
 * neither is stopped by its isolate.
 */

// Taken when loaded: tests put fakes in the place of the global.
const now = performance.now.bind(performance);
const MS_PER_US = 1 / 1_000;

export class Stopwatch {
  #runningSince: number | null = null;
  #elapsedMs = 0;
  readonly #cpuAtStart = process.cpuUsage();

  /** User code goes on. */
  start(): void {
    this.#runningSince ??= now();
  }

  /** The host is at work. */
  stop(): void {
    if (this.#runningSince === null) return;
    this.#elapsedMs += now() - this.#runningSince;
    this.#runningSince = null;
  }

  /**
   * Whether user code had more than `ms`. On a machine that is busy with other things time passes
   * without anything being done, so the processor time of the whole process must have passed too.
   */
  isOver(ms: number): boolean {
    if (this.#elapsedMs <= ms) return false;
    const { user, system } = process.cpuUsage(this.#cpuAtStart);
    return (user + system) * MS_PER_US > ms;
  }
}
