/**
 * One producer and one worker as processes of their own, told over IPC what to do, whatever the queue
 * between them. Times are of this machine's clock in ms since the epoch, finer than Date.now().
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** Add `count` jobs numbered from `from`, `parallel` at a time, from gapMs to twice that apart. */
export type Order = { from: number; count: number; gapMs: number; parallel: number };
/** Number of the job; of a producer: sent and acknowledged at; of a worker: handled and heard of at. */
export type Sample = [i: number, at: number, then: number];
/** What a process tells. */
export type Told = { ready: true } | { sent: Sample[] } | { ran: Sample[] };
/** How a process is started. */
export type Program = { file: string; args: string[]; execPath: string; env: NodeJS.ProcessEnv };

export const stamp = (): number => performance.timeOrigin + performance.now();

const READY_MS_MAX = 60_000;
const LOOK_MS = 10;
const END_MS_MAX = 5_000;

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class Actor {
  readonly sent: Sample[] = [];
  readonly ran: Sample[] = [];
  #orders = 0;
  #answers = 0;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves once it is ready to work. */
  static async start({ file, args, execPath, env }: Program): Promise<Actor> {
    const child = fork(file, args, { execPath, env, stdio: ["ignore", "ignore", "pipe", "ipc"] });
    running.add(child);
    const actor = new Actor(child);
    let words = "";
    child.stderr?.on("data", (chunk: Buffer) => (words = (words + chunk.toString()).slice(-2_000)));
    const ready = new Promise<void>((resolve, reject) => {
      child.on("message", (told: Told) => {
        if ("ready" in told) resolve();
        else actor.#hear(told);
      });
      child.once("exit", () => {
        reject(new Error(`${args.join(" ")} ended: ${words}`));
      });
      AbortSignal.timeout(READY_MS_MAX).addEventListener("abort", () => {
        reject(new Error(`${args.join(" ")} was not ready in time: ${words}`));
      });
    });
    await ready;
    return actor;
  }

  /** Resolves when all jobs of the order were acknowledged. */
  async add(order: Order): Promise<void> {
    this.#orders += 1;
    this.#child.send(order);
    while (this.#answers < this.#orders) await pause(LOOK_MS);
  }

  /** Resolves when this many jobs have run, or the time is over; says whether they have. */
  async hasRun(count: number, msMax: number): Promise<boolean> {
    const until = performance.now() + msMax;
    while (this.ran.length < count && performance.now() < until) await pause(LOOK_MS);
    return this.ran.length >= count;
  }

  /** SIGKILL, as a crash. */
  async kill(): Promise<void> {
    running.delete(this.#child);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }

  /** Lets it end in order, so that nothing is given to it any more. */
  async end(): Promise<void> {
    if (!this.#child.connected) return this.kill();
    const isOver = once(this.#child, "exit");
    this.#child.disconnect();
    await Promise.race([isOver, pause(END_MS_MAX)]);
    await this.kill();
  }

  #hear(told: Exclude<Told, { ready: true }>): void {
    if ("ran" in told) this.ran.push(...told.ran);
    else {
      this.sent.push(...told.sent);
      this.#answers += 1;
    }
  }
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));
