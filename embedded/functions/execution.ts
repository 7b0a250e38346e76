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
  times?: Pick<FunctionTimes, "userMs" | "actionMs">;
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
  #calls = 0;
  #tail: Promise<unknown> | null = null;
  #isStopped = false;
  readonly #host: SyscallHost;
  readonly #stopwatch = new Stopwatch();
  readonly #slots = new Slots(ACTION_CALLS_MAX);
  readonly #userMs: number;
  /** From start to end, for actions. */
  readonly actionMs: number;

  constructor(host: SyscallHost, options: ExecutionOptions) {
    this.#host = host;
    this.#userMs = options.times?.userMs ?? FUNCTION_TIMES.userMs;
    this.actionMs = options.times?.actionMs ?? FUNCTION_TIMES.actionMs;
    this.kind = options.kind;
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

  syscall(op: string, args: string): string {
    this.#leaveUserCode();
    this.#assertRunning();
    try {
      return JSON.stringify(this.#host.syscall(this, op, parse(args)));
    } catch (error) {
      throw this.#forUserCode(error);
    } finally {
      this.#stopwatch.start();
    }
  }

  /** In actions at once, up to a number; in queries and mutations one after the other, in order of the calls. */
  async asyncSyscall(op: string, args: string): Promise<string> {
    this.#leaveUserCode();
    this.#assertRunning();
    this.#calls += 1;
    this.pendingCalls += 1;
    try {
      if (this.kind === "action") {
        return await this.#slots.run(() => this.#host.asyncSyscall(this, op, parse(args)));
      }
      return await this.#inOrder(() => {
        this.#assertRunning();
        return this.#host.asyncSyscall(this, op, parse(args));
      });
    } catch (error) {
      this.rejectedCalls += 1;
      throw this.#forUserCode(error);
    } finally {
      this.pendingCalls -= 1;
      this.#stopwatch.start();
    }
  }

  jsSyscall(op: string, args: Record<string, unknown>): unknown {
    this.#assertRunning();
    try {
      return this.#host.jsSyscall(this, op, args);
    } catch (error) {
      throw this.#forUserCode(error);
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

  async #inOrder(call: () => Promise<string> | string): Promise<string> {
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
