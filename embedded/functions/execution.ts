/**
 * One run of one function in one isolate: its clock, randomness, transaction and log, and the
 * order in which its calls to the host are carried out.
 */
import type { JSONValue } from "convex/values";
import { ConflictError, UserError } from "../engine/errors.js";
import type { Transaction } from "../engine/transaction.js";
import type { LogLines } from "./console.js";
import { FunctionFailure } from "./failure.js";
import type { FunctionPath } from "./paths.js";
import {
  ACTION_CALLS_MAX,
  FUNCTION_TIMES,
  type FunctionTimes,
  STRETCH_FACTOR,
  stuckText,
  timedOutText,
} from "./functionTimes.js";
import type { QueryRun } from "./query.js";
import { Slots } from "./slots.js";
import { Stopwatch } from "./stopwatch.js";
import { nextTurn } from "./turns.js";
import type { Identity, RequestMetadata } from "./types.js";

export type ExecutionKind = "query" | "mutation" | "action";
export type ExecutionOptions = {
  kind: ExecutionKind;
  path: FunctionPath;
  componentId: string;
  /** null in actions: each of their calls has its own. */
  tx: Transaction | null;
  identity: Identity;
  request: RequestMetadata;
  /** The scheduled function this run belongs to. */
  scheduledFunctionId: string | null;
  nowMs: number;
  random: () => number;
  log: LogLines;
  /** Nested calls above this one. */
  depth: number;
  /** From an earlier run of the same query. */
  journal: string | null;
  /** For HTTP actions. */
  httpRequest: Request | null;
  /** How long it may run; by default as documented. */
  times?: Pick<FunctionTimes, "userMs" | "actionMs" | "actionStretchMs">;
};

/** Carries out calls; the answer is JSON text. */
export type SyscallHost = {
  syscall(execution: Execution, op: string, args: JSONValue): JSONValue;
  asyncSyscall(execution: Execution, op: string, args: JSONValue): Promise<string> | string;
  jsSyscall(execution: Execution, op: string, args: Record<string, unknown>): unknown;
};

export class Execution {
  readonly kind: ExecutionKind;
  readonly path: FunctionPath;
  readonly componentId: string;
  readonly tx: Transaction | null;
  readonly identity: Identity;
  readonly request: RequestMetadata;
  readonly scheduledFunctionId: string | null;
  readonly nowMs: number;
  readonly random: () => number;
  readonly log: LogLines;
  readonly depth: number;
  readonly journal: string | null;
  readonly httpRequest: Request | null;
  httpResponse: Response | null = null;
  /** Open query streams by number. */
  readonly streams = new Map<number, QueryRun>();
  nextStream = 0;
  /** Where the page ended; set once a query paginated. */
  nextJournal: string | null = null;
  hasPaginated = false;
  hasObservedIdentity = false;
  /** What ended the run whatever user code does about it: a conflict, a broken store. */
  fatal: Error | null = null;
  /** A promise of user code that was rejected with nobody looking. */
  unhandled: unknown = null;
  pendingCalls = 0;
  rejectedCalls = 0;
  /** Code of the backend is running on behalf of user code. */
  isInHost = false;
  /** Told when user code was stopped in the middle: it will never answer. */
  onStuck: ((failure: FunctionFailure) => void) | null = null;
  #calls = 0;
  #tail: Promise<unknown> | null = null;
  #isStopped = false;
  readonly #host: SyscallHost;
  readonly #stopwatch = new Stopwatch();
  readonly #slots = new Slots(ACTION_CALLS_MAX);
  readonly #userMs: number;
  /** From start to end, for actions. */
  readonly actionMs: number;
  /** The longest that user code may run without waiting for anything. */
  readonly stretchMs: number;

  constructor(host: SyscallHost, options: ExecutionOptions) {
    this.#host = host;
    this.#userMs = options.times?.userMs ?? FUNCTION_TIMES.userMs;
    this.actionMs = options.times?.actionMs ?? FUNCTION_TIMES.actionMs;
    this.kind = options.kind;
    this.stretchMs =
      this.kind === "action"
        ? (options.times?.actionStretchMs ?? FUNCTION_TIMES.actionStretchMs)
        : STRETCH_FACTOR * this.#userMs;
    this.path = options.path;
    this.componentId = options.componentId;
    this.tx = options.tx;
    this.identity = options.identity;
    this.request = options.request;
    this.scheduledFunctionId = options.scheduledFunctionId;
    this.nowMs = options.nowMs;
    this.random = options.random;
    this.log = options.log;
    this.depth = options.depth;
    this.journal = options.journal;
    this.httpRequest = options.httpRequest;
  }

  /** User code runs, or goes on. */
  resume(): void {
    this.#stopwatch.start();
  }

  /** User code has ended, or waits for the host. */
  pause(): void {
    this.#leaveUserCode();
  }

  /** User code was stopped in the middle of a stretch, and cannot go on. */
  stuck(): void {
    const text = this.kind === "action" ? stuckText(this.stretchMs) : timedOutText(this.#userMs);
    const failure = new FunctionFailure(text, { code: "TimedOut" });
    this.fatal ??= failure;
    this.onStuck?.(failure);
  }

  syscall(op: string, args: string): string {
    return this.#inHost(() => JSON.stringify(this.#host.syscall(this, op, parse(args))));
  }

  /**
   * Text when the answer is there already. In actions at once, up to a number; in queries and
   * mutations one after the other, in order of the calls.
   */
  call(op: string, args: string): string | Promise<string> {
    this.#calls += 1;
    try {
      const answer = this.#inHost(() =>
        this.#carryOut(() => this.#host.asyncSyscall(this, op, parse(args))),
      );
      return typeof answer === "string" ? answer : this.#pending(answer);
    } catch (error) {
      this.rejectedCalls += 1;
      throw error;
    }
  }

  async asyncSyscall(op: string, args: string): Promise<string> {
    return await this.call(op, args);
  }

  jsSyscall(op: string, args: Record<string, unknown>): unknown {
    return this.#inHost(() => this.#host.jsSyscall(this, op, args));
  }

  #inHost<T>(body: () => T): T {
    this.#leaveUserCode();
    this.isInHost = true;
    try {
      this.#assertRunning();
      return body();
    } catch (error) {
      throw this.#forUserCode(error);
    } finally {
      this.isInHost = false;
      this.#stopwatch.start();
    }
  }

  #carryOut(call: () => Promise<string> | string): Promise<string> | string {
    if (this.kind === "action") return this.#slots.run(call);
    return this.#inOrder(() => {
      this.#assertRunning();
      return call();
    });
  }

  async #pending(answer: Promise<string>): Promise<string> {
    this.pendingCalls += 1;
    try {
      return await answer;
    } catch (error) {
      this.rejectedCalls += 1;
      throw this.#forUserCode(error);
    } finally {
      this.pendingCalls -= 1;
    }
  }

  /** Waits for calls that user code made without awaiting them, and for those they lead to. */
  async drain(): Promise<void> {
    for (let seen = -1; seen !== this.#calls && !this.#isStopped;) {
      seen = this.#calls;
      while (this.#tail !== null) await this.#tail.catch(() => undefined);
      // The next tick comes when the microtask queue is empty: when user code has nothing left to do.
      await new Promise<void>((resolve) => {
        process.nextTick(resolve);
      });
    }
    // A rejection that nobody handles is reported at the end of the event loop's turn.
    if (this.depth === 0 || this.rejectedCalls > 0)
      await new Promise((resolve) => nextTurn(resolve));
  }

  /** From here on user code can do nothing more. */
  stop(): void {
    this.#isStopped = true;
  }

  #inOrder(call: () => Promise<string> | string): Promise<string> | string {
    if (this.#tail !== null) {
      const before = this.#tail;
      return this.#asTail(before.catch(() => undefined).then(call));
    }
    const result = call();
    return typeof result === "string" ? result : this.#asTail(result);
  }

  #asTail(result: Promise<string>): Promise<string> {
    const tail: Promise<unknown> = result
      .catch(() => undefined)
      .finally(() => {
        if (this.#tail === tail) this.#tail = null;
      });
    this.#tail = tail;
    return result;
  }

  #leaveUserCode(): void {
    this.#stopwatch.stop();
    if (this.kind === "action" || !this.#stopwatch.isOver(this.#userMs)) return;
    this.fatal ??= new FunctionFailure(timedOutText(this.#userMs), { code: "TimedOut" });
  }

  #assertRunning(): void {
    if (this.fatal !== null) throw this.fatal;
    if (this.#isStopped) throw new Error("The function has returned: it can do nothing more.");
  }

  /** Errors that functions can cause may be caught by them; others end the run. */
  #forUserCode(error: unknown): Error {
    if (error instanceof FunctionFailure || error instanceof UserError) return error;
    const fatal = error instanceof Error ? error : new Error(String(error));
    if (error instanceof ConflictError || !this.#isStopped) this.fatal ??= fatal;
    return fatal;
  }
}

// What user code passes was written by JSON.stringify of convex/server.
const parse = (args: string): JSONValue => JSON.parse(args) as JSONValue;
