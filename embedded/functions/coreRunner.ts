/** Runs functions for the outside and for one another: transactions, retries, answers. */
import type { JSONValue } from "convex/values";
import { committedJson } from "../engine/commitTs.js";
import { type Engine, ConflictError } from "../engine/engine.js";
import { DEFAULT_LIMITS } from "../engine/limits.js";
import type { Transaction } from "../engine/transaction.js";
import type { Files } from "../files/files.js";
import type { Calls, NestedCall, SeparateCall } from "./calls.js";
import { withRetries } from "./conflicts.js";
import { LogLines } from "./console.js";
import type { Execution, ExecutionOptions } from "./execution.js";
import { clientError, FunctionFailure, failureOf } from "./failure.js";
import { runFunction, type RunContext } from "./functionRun.js";
import { runHttpAction } from "./httpAction.js";
import type { FunctionTimes } from "./functionTimes.js";
import type { IsolatePool } from "./isolatePool.js";
import { Lane } from "./lane.js";
import type { LiveDeployment } from "./liveDeployment.js";
import { displayPath, type FunctionTarget, parsePath } from "./paths.js";
import { seededRandom } from "./random.js";
import { notFoundText, type RegisteredFunction } from "./registry.js";
import type { MutationOptions, MutationWithOutcome, Runner } from "./runner.js";
import { findAnswer, recordAnswer } from "./sessionRequests.js";
import { syscallHost } from "./syscalls.js";
import type {
  ActionOutcome,
  FunctionCall,
  HttpActionOutcome,
  Identity,
  MutationOutcome,
  QueryOutcome,
  RequestMetadata,
  SessionRequest,
  UdfType,
} from "./types.js";

const NESTED_DEPTH_MAX = 8;
/** A query is run again when a deployment was activated under it. */
const QUERY_ATTEMPTS_MAX = 10;
const SEED_MAX = 2 ** 32;

export type RunnerOptions = {
  engine: Engine;
  deployment: LiveDeployment;
  pool: IsolatePool;
  files: Files;
  times?: FunctionTimes;
};
type Answered = { value: JSONValue; ts: bigint; logLines: string[] };
type Skipped = { isSkipped: true };
/** A call by the backend or by a function: internal functions may be called too. */
type TrustedCall = FunctionCall & { isTrusted?: boolean };

export class CoreRunner implements Runner {
  readonly #engine: Engine;
  readonly #deployment: LiveDeployment;
  readonly #context: RunContext;
  readonly #lane = new Lane();

  constructor({ engine, deployment, pool, files, times }: RunnerOptions) {
    this.#engine = engine;
    this.#deployment = deployment;
    const calls: Calls = {
      nested: (caller, call) => this.#nested(caller, call),
      separate: (caller, call) => this.#separate(caller, call),
      typeOf: (target) => this.#find(target)?.udfType ?? null,
      transact: async (body) => (await engine.transact(body)).value,
      nowMs: () => engine.clock.nowMs(),
    };
    this.#context = {
      pool,
      host: syscallHost(calls, files),
      tableOfId: deployment.tableOfId,
      ...(times === undefined ? {} : { times }),
    };
  }

  udfTypeOf(call: Pick<FunctionCall, "componentPath" | "path" | "identity">): UdfType | null {
    return this.#visible(call)?.udfType ?? null;
  }

  async query(
    call: FunctionCall,
    { journal = null, ts }: { journal?: string | null; ts?: bigint } = {},
  ): Promise<QueryOutcome> {
    for (let attempt = 1; ; attempt += 1) {
      const isLast = attempt >= QUERY_ATTEMPTS_MAX;
      const outcome = await this.#lane.run(() => this.#attemptQuery(call, { journal, ts, isLast }));
      if (outcome === null) continue;
      await this.#engine.whenDurable(outcome.ts);
      return outcome;
    }
  }

  /** Null when a deployment was activated meanwhile: then all is to be read anew. */
  async #attemptQuery(
    call: TrustedCall,
    more: { journal: string | null; ts: bigint | undefined; isLast: boolean },
  ): Promise<QueryOutcome | null> {
    const { journal, ts, isLast } = more;
    const log = new LogLines();
    const tx = this.#engine.begin({ limits: DEFAULT_LIMITS, ...(ts === undefined ? {} : { ts }) });
    const common = { ts: tx.snapshotTs, reads: tx.reads, logLines: log.lines };
    try {
      const options = this.#options({ kind: "query", call, tx, log });
      const { json, execution } = await this.#run(call, { ...options, journal });
      // The isolate gives JSON text of a value.
      const value = JSON.parse(json) as JSONValue;
      return { ...common, ok: true, value, journal: execution.nextJournal };
    } catch (error) {
      if (error instanceof ConflictError && !isLast) return null;
      const failed = clientError(failureOf(error), call.request.requestId);
      return { ...common, ok: false, error: failed, journal };
    } finally {
      tx.abort();
    }
  }

  async mutation(
    call: FunctionCall,
    options: { session?: SessionRequest; onCommitted?: () => void } = {},
  ): Promise<MutationOutcome> {
    const outcome = await this.#mutation(call, options);
    if (outcome.ok === "skipped") throw new Error("Only runs with a condition can be skipped.");
    return outcome;
  }

  async runMutationWith(
    call: FunctionCall,
    options: MutationOptions,
  ): Promise<MutationWithOutcome> {
    return await this.#mutation({ ...call, isTrusted: true }, options);
  }

  async #mutation(call: TrustedCall, options: MutationOptions): Promise<MutationWithOutcome> {
    const logs: { last: LogLines } = { last: new LogLines() };
    try {
      const attempt = (isExclusive: boolean): Promise<Answered | Skipped> => {
        logs.last = new LogLines();
        const log = logs.last;
        return this.#lane.run(() => this.#attemptMutation(call, { ...options, isExclusive }, log));
      };
      const isForever = options.isRetriedForever === true;
      const answer = await withRetries(this.#engine, attempt, isForever);
      if ("isSkipped" in answer) return { ok: "skipped" };
      options.onCommitted?.();
      await this.#engine.whenDurable(answer.ts);
      return { ok: true, value: answer.value, ts: answer.ts, logLines: answer.logLines };
    } catch (error) {
      const failed = clientError(failureOf(error), call.request.requestId);
      return { ok: false, error: failed, ts: null, logLines: logs.last.lines };
    }
  }

  async action(call: FunctionCall): Promise<ActionOutcome> {
    return await this.#runAction(call, null);
  }

  async scheduledAction(
    call: FunctionCall,
    scheduledFunctionId: string | null,
  ): Promise<ActionOutcome> {
    const trusted: TrustedCall = { ...call, isTrusted: true };
    return await this.#runAction(trusted, scheduledFunctionId);
  }

  async httpAction(
    request: Request,
    identity: Identity,
    metadata: RequestMetadata,
  ): Promise<HttpActionOutcome> {
    const call = { componentPath: "", path: "http", args: {}, identity, request: metadata };
    const options = this.#options({ kind: "action", call, tx: null, log: new LogLines() });
    return await runHttpAction(this.#context, this.#deployment.current(), {
      ...options,
      httpRequest: request,
    });
  }

  async #runAction(call: TrustedCall, scheduledFunctionId: string | null): Promise<ActionOutcome> {
    const log = new LogLines();
    try {
      const options = this.#options({ kind: "action", call, tx: null, log });
      const { json } = await this.#run(call, { ...options, scheduledFunctionId });
      // The isolate gives JSON text of a value.
      return { ok: true, value: JSON.parse(json) as JSONValue, logLines: log.lines };
    } catch (error) {
      const failed = clientError(failureOf(error), call.request.requestId);
      return { ok: false, error: failed, logLines: log.lines };
    }
  }

  async #attemptMutation(
    call: TrustedCall,
    more: MutationOptions & { isExclusive: boolean },
    log: LogLines,
  ): Promise<Answered | Skipped> {
    const { session, beforeRun, beforeCommit, scheduledFunctionId = null } = more;
    const tx = this.#engine.begin({ limits: DEFAULT_LIMITS });
    try {
      // The backend's own reads and writes do not use up what the function may do.
      const recorded = tx.usage.paused(() =>
        session === undefined ? null : findAnswer(tx, session),
      );
      if (recorded !== null) return recorded;
      if (tx.usage.paused(() => beforeRun?.(tx)) === false) return { isSkipped: true };
      const options = this.#options({ kind: "mutation", call, tx, log });
      const { json } = await this.#run(call, { ...options, scheduledFunctionId });
      // The isolate gives JSON text of a value.
      const value = JSON.parse(json) as JSONValue;
      tx.usage.paused(() => {
        if (session !== undefined) recordAnswer(tx, session, { value, logLines: log.lines });
        beforeCommit?.(tx, value);
      });
      if (!more.isExclusive && this.#engine.lock.isHeld) await this.#engine.lock.whenFree();
      const { ts } = this.#engine.commit(tx);
      return { value: committedJson(json, ts), ts, logLines: log.lines };
    } finally {
      tx.abort();
    }
  }

  #run(call: TrustedCall, options: ExecutionOptions) {
    const found = this.#visible(call);
    if (found === null) {
      throw new FunctionFailure(notFoundText(parsePath(call.path)), { code: "NotFound" });
    }
    return runFunction(this.#context, found, { ...options, args: call.args });
  }

  /** Outsiders see public functions of the root component, administrators all. */
  #visible(
    call: Pick<TrustedCall, "componentPath" | "path" | "identity" | "isTrusted">,
  ): RegisteredFunction | null {
    const seesAll = call.isTrusted === true || call.identity.kind === "admin";
    if (call.componentPath !== "" && !seesAll) return null;
    const found = this.#deployment.registry.find(call.componentPath, parsePath(call.path));
    if (found === null) return null;
    return found.isPublic || seesAll ? found : null;
  }

  async #nested(caller: Execution, call: NestedCall): Promise<string> {
    const { tx } = caller;
    if (tx === null) throw new Error("Nested calls need the caller's transaction.");
    if (caller.depth + 1 > NESTED_DEPTH_MAX) {
      throw new FunctionFailure(
        `Uncaught Error: Nested calls of functions are limited to a depth of ${NESTED_DEPTH_MAX}.`,
        { code: "MaximumCallDepthExceeded" },
      );
    }
    const found = this.#require(call.target);
    const savepoint = tx.writes.savepoint();
    const loosen = tx.usage.tighten(call.limits);
    try {
      const { json } = await runFunction(this.#context, found, {
        ...inherited(caller, call.target),
        kind: call.kind === "mutation" ? "mutation" : "query",
        tx: call.kind === "snapshotQuery" ? tx.staleView() : tx,
        random: seededRandom(Math.floor(caller.random() * SEED_MAX)),
        args: call.args,
      });
      return json;
    } catch (error) {
      // What it wrote is undone; what it read stays read.
      tx.writes.rollbackTo(savepoint);
      throw error;
    } finally {
      loosen();
    }
  }

  async #separate(caller: Execution, call: SeparateCall): Promise<string> {
    const { target } = call;
    this.#require(target);
    const made: TrustedCall = {
      componentPath: target.componentPath,
      path: displayPath(target.path),
      args: call.args,
      identity: identityFor(caller, target),
      request: caller.request,
      isTrusted: true,
    };
    const outcome = await this.#byKind(call.kind, made, caller);
    caller.log.lines.push(...outcome.logLines);
    if (outcome.ok) return JSON.stringify(outcome.value);
    const { message, data, code } = outcome.error;
    // The prefix is for clients; the caller's own failure will carry one.
    const prefix = `[Request ID: ${caller.request.requestId}] Server Error\n`;
    throw new FunctionFailure(message.startsWith(prefix) ? message.slice(prefix.length) : message, {
      ...(data === undefined ? {} : { data }),
      ...(code === undefined ? {} : { code }),
    });
  }

  #byKind(kind: "query" | "mutation" | "action", call: TrustedCall, caller: Execution) {
    switch (kind) {
      case "query":
        return this.query(call);
      case "mutation":
        return this.mutation(call);
      case "action":
        return this.#runAction(call, caller.scheduledFunctionId);
    }
  }

  #find({ componentPath, path, isPublicOnly }: FunctionTarget): RegisteredFunction | null {
    const found = this.#deployment.registry.find(componentPath, path);
    return found === null || (isPublicOnly && !found.isPublic) ? null : found;
  }

  #require(target: FunctionTarget): RegisteredFunction {
    const found = this.#find(target);
    if (found !== null) return found;
    const where = target.componentPath === "" ? "" : ` in component "${target.componentPath}"`;
    throw new FunctionFailure(
      `Could not find function for '${displayPath(target.path)}'${where}. Did you forget to run \`npx convex dev\` or \`npx convex deploy\`?`,
      { code: "NotFound" },
    );
  }

  #options({
    kind,
    call,
    tx,
    log,
  }: {
    kind: ExecutionOptions["kind"];
    call: FunctionCall;
    tx: Transaction | null;
    log: LogLines;
  }): ExecutionOptions {
    return {
      kind,
      path: parsePath(call.path),
      componentId: call.componentPath,
      tx,
      identity: call.identity,
      request: call.request,
      scheduledFunctionId: null,
      nowMs: this.#engine.clock.nowMs(),
      random: seededRandom(Math.floor(this.#engine.chance.fraction() * SEED_MAX)),
      log,
      depth: 0,
      journal: null,
      httpRequest: null,
    };
  }
}

/** Who calls does not cross from one component into another: components have no ctx.auth. */
const identityFor = (caller: Execution, target: FunctionTarget): Identity =>
  caller.componentId === target.componentPath ? caller.identity : { kind: "none" };

/** What a nested call shares with its caller. */
function inherited(caller: Execution, target: FunctionTarget) {
  const { request, scheduledFunctionId, nowMs, log } = caller;
  return {
    componentId: target.componentPath,
    path: target.path,
    identity: identityFor(caller, target),
    request,
    scheduledFunctionId,
    nowMs,
    log,
    depth: caller.depth + 1,
    journal: null,
    httpRequest: null,
  };
}
