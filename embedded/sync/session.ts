/**
 * One socket's session: the order of its messages, its versions and identity, its mutations (one
 * after another) and actions (side by side). Results of queries travel through transitions.ts.
 */
import type { Authenticator } from "../auth/identity.js";
import { AuthFailure, hasExpired } from "../auth/identity.js";
import type { Engine } from "../engine/engine.js";
import type {
  ActionOutcome,
  FunctionCall,
  FunctionRunner,
  Identity,
  MutationOutcome,
  RequestMetadata,
} from "../functions/types.js";
import { syncLimits } from "./limits.js";
import {
  parseClientMessage,
  ProtocolError,
  type ClientMessage,
  type ClientMessageOf,
  type ServerMessage,
} from "./protocol.js";
import { QuerySet } from "./querySet.js";
import { TransitionLoop } from "./transitions.js";

export type CloseReason = { code: 1001 | 1002 | 1008 | 1011; reason: string };

export type SessionPorts = {
  engine: Pick<Engine, "hold" | "subscribe" | "whenDurable" | "latestTs">;
  runner: FunctionRunner;
  authenticator: Authenticator;
  nowMs: () => number;
  /** A fresh one for each call; the token is filled in here. */
  newRequest: () => RequestMetadata;
  /** Resolves when the socket has written the message. */
  send: (message: ServerMessage) => Promise<void>;
  /** Resolves when the client has taken enough of what was sent to be sent more. */
  drained: () => Promise<void>;
  /** Characters received and not yet dealt with: the socket stops reading while there are many. */
  onWaiting: (chars: number) => void;
  close: (reason: CloseReason) => void;
  onFault: (error: unknown) => void;
};

type Caller = { identity: Identity; token: string | null };

export class Session {
  readonly #ports: SessionPorts;
  readonly #queries = new QuerySet();
  readonly #transitions: TransitionLoop;
  /** Versions as the client knows them; the Transition loop follows. */
  #querySetVersion = 0;
  #identityVersion = 0;
  #caller: Caller = { identity: { kind: "none" }, token: null };
  /** Null until Connect, which must come first. */
  #sessionId: string | null = null;
  #clockSkewMs: number | undefined;
  /** How many succeeded; the client waits for a Transition after each. */
  #answeredMutations = 0;
  #mutations: Promise<void> = Promise.resolve();
  /** Never rejects: resolves when all mutations that were started have been answered. */
  #answers: Promise<void> = Promise.resolve();
  #unresolvedMutations = 0;
  #runningActions = 0;
  #inbound: Promise<void> = Promise.resolve();
  #inboundCount = 0;
  #waitingChars = 0;
  #isEnded = false;

  constructor(ports: SessionPorts) {
    this.#ports = ports;
    this.#transitions = new TransitionLoop({
      engine: ports.engine,
      runner: ports.runner,
      queries: this.#queries,
      target: () => ({
        querySet: this.#querySetVersion,
        identity: this.#identityVersion,
        who: this.#caller.identity,
        request: this.#requestOf(this.#caller),
        answeredMutations: this.#answeredMutations,
      }),
      mayRun: (who) => this.#mayRun(who),
      nowMs: ports.nowMs,
      clockSkewMs: () => this.#clockSkewMs,
      send: ports.send,
      onFault: (error) => {
        this.#fault(error);
      },
    });
  }

  /** Takes one inbound frame; messages are handled in the order they came. */
  receive(text: string): void {
    if (this.#isEnded) return;
    if (this.#inboundCount >= syncLimits.inboundQueueMax) {
      this.#refuse(`more than ${syncLimits.inboundQueueMax} messages waiting`);
      return;
    }
    this.#inboundCount += 1;
    this.#wait(text.length);
    this.#inbound = this.#inbound.then(async () => {
      await this.#ports.drained();
      this.#inboundCount -= 1;
      if (!this.#isEnded) await this.#handle(text);
      this.#wait(-text.length);
    });
  }

  #wait(chars: number): void {
    this.#waitingChars += chars;
    this.#ports.onWaiting(this.#waitingChars);
  }

  /** Tells the client what it did wrong, once, and ends. Its own words come back shortened. */
  #refuse(reason: string): void {
    if (this.#isEnded) return;
    this.#say({ type: "FatalError", error: reason.slice(0, syncLimits.refusalChars) });
    this.#end({ code: 1002, reason: "ProtocolError" });
  }

  refuseOversized(bytes: number): void {
    this.#refuse(`message of ${bytes} bytes; the limit is ${syncLimits.messageBytesMax}`);
  }

  /** The socket is gone, or the server stops: nothing more is sent or started. */
  dispose(): void {
    this.#isEnded = true;
    this.#transitions.close();
    this.#queries.close();
  }

  /** Starts nothing new; resolves when the running mutation has been answered. */
  async drain(): Promise<void> {
    this.#isEnded = true;
    this.#transitions.close();
    await this.#mutations;
    await this.#answers;
    this.#queries.close();
  }

  async #handle(text: string): Promise<void> {
    try {
      await this.#dispatch(parseClientMessage(text), text.length);
    } catch (error) {
      if (error instanceof ProtocolError) this.#refuse(error.message);
      else this.#fault(error);
    }
  }

  async #dispatch(message: ClientMessage, chars: number): Promise<void> {
    if (message.type === "Connect") {
      this.#connect(message);
      return;
    }
    const sessionId = this.#sessionId;
    if (sessionId === null) throw new ProtocolError(`${message.type} before Connect`);
    switch (message.type) {
      case "Authenticate":
        await this.#authenticate(message);
        return;
      case "ModifyQuerySet":
        this.#modifyQuerySet(message);
        return;
      case "Mutation":
        this.#queueMutation(message, { sessionId, chars });
        return;
      case "Action":
        this.#startAction(message, chars);
        return;
      case "Event":
        return;
    }
  }

  #connect(message: ClientMessageOf<"Connect">): void {
    if (this.#sessionId !== null) throw new ProtocolError("Connect was sent twice");
    this.#sessionId = message.sessionId;
    if (message.clientTs !== undefined) {
      this.#clockSkewMs = message.clientTs - this.#ports.nowMs();
    }
    const seen = message.maxObservedTimestamp ?? 0n;
    if (seen > this.#ports.engine.latestTs()) {
      // Only possible when commits the client saw are gone: another data folder, or a restored backup.
      this.#end({ code: 1011, reason: "InternalServerError: client has seen a later timestamp" });
    }
  }

  async #authenticate(message: ClientMessageOf<"Authenticate">): Promise<void> {
    if (message.baseVersion !== this.#identityVersion) {
      throw new ProtocolError(
        `identity version is ${this.#identityVersion}, the message is based on ${message.baseVersion}`,
      );
    }
    try {
      this.#caller = await this.#identify(message);
    } catch (error) {
      if (!(error instanceof AuthFailure)) throw error;
      this.#rejectAuth(error.message, { attempted: true });
      return;
    }
    this.#identityVersion = message.baseVersion + 1;
    this.#queries.markAllOutdated();
    this.#transitions.kick();
  }

  async #identify(message: ClientMessageOf<"Authenticate">): Promise<Caller> {
    const { authenticator } = this.#ports;
    switch (message.tokenType) {
      case "None":
        return { identity: { kind: "none" }, token: null };
      case "Admin": {
        const actingAs = message.impersonating ?? message.acting_as ?? null;
        return { identity: authenticator.admin(message.value, actingAs), token: null };
      }
      case "User":
        return { identity: await authenticator.user(message.value), token: message.value };
    }
  }

  #modifyQuerySet(message: ClientMessageOf<"ModifyQuerySet">): void {
    if (message.baseVersion !== this.#querySetVersion) {
      throw new ProtocolError(
        `query set version is ${this.#querySetVersion}, the message is based on ${message.baseVersion}`,
      );
    }
    if (message.newVersion <= message.baseVersion) {
      throw new ProtocolError("the new query set version is not after the old one");
    }
    for (const modification of message.modifications) this.#queries.apply(modification);
    this.#querySetVersion = message.newVersion;
    this.#transitions.kick();
  }

  #queueMutation(
    message: ClientMessageOf<"Mutation">,
    { sessionId, chars }: { sessionId: string; chars: number },
  ): void {
    if (this.#unresolvedMutations >= syncLimits.unresolvedMutationsMax) {
      throw new ProtocolError(
        `TooManyConcurrentMutations: more than ${syncLimits.unresolvedMutationsMax} unresolved mutations on one socket`,
      );
    }
    this.#unresolvedMutations += 1;
    this.#wait(chars);
    const caller = this.#caller;
    this.#mutations = this.#mutations.then(() =>
      this.#startMutation(message, { caller, sessionId, chars }),
    );
  }

  /**
   * Resolves when the next one may start: when this one is committed or has failed. Only its answer
   * waits for the disk, so that many mutations of one socket share a sync; answers keep the order.
   */
  #startMutation(
    message: ClientMessageOf<"Mutation">,
    { caller, sessionId, chars }: { caller: Caller; sessionId: string; chars: number },
  ): Promise<void> {
    return new Promise((next) => {
      const run = async (): Promise<MutationOutcome | null> => {
        await this.#ports.drained();
        if (this.#isEnded || !this.#mayRun(caller.identity)) return null;
        return this.#ports.runner.mutation(this.#callOf(message, caller), {
          session: { sessionId, requestId: message.requestId },
          onCommitted: next,
        });
      };
      const before = this.#answers;
      const answer = async () => {
        try {
          const outcome = await run().finally(next);
          await before;
          if (outcome !== null) this.#answerMutation(message.requestId, outcome);
        } catch (error) {
          this.#fault(error);
        } finally {
          this.#unresolvedMutations -= 1;
          this.#wait(-chars);
        }
      };
      this.#answers = answer();
    });
  }

  #answerMutation(requestId: number, outcome: MutationOutcome): void {
    const { logLines } = outcome;
    if (outcome.ok) {
      if (outcome.ts === null) throw new Error("a mutation succeeded without a commit timestamp");
      const { value: result, ts } = outcome;
      this.#answeredMutations += 1;
      this.#say({ type: "MutationResponse", requestId, success: true, result, ts, logLines });
      this.#transitions.kick();
      return;
    }
    this.#say({ type: "MutationResponse", requestId, ...failed(outcome.error), logLines });
  }

  #startAction(message: ClientMessageOf<"Action">, chars: number): void {
    const caller = this.#caller;
    if (!this.#mayRun(caller.identity)) return;
    if (this.#runningActions >= syncLimits.runningActionsMax) {
      throw new ProtocolError(
        `more than ${syncLimits.runningActionsMax} actions running on one socket`,
      );
    }
    this.#runningActions += 1;
    this.#wait(chars);
    this.#ports.runner
      .action(this.#callOf(message, caller))
      .then((outcome) => {
        this.#answerAction(message.requestId, outcome);
      })
      .catch((error: unknown) => {
        this.#fault(error);
      })
      .finally(() => {
        this.#runningActions -= 1;
        this.#wait(-chars);
      });
  }

  #answerAction(requestId: number, outcome: ActionOutcome): void {
    const { logLines } = outcome;
    this.#say(
      outcome.ok
        ? { type: "ActionResponse", requestId, success: true, result: outcome.value, logLines }
        : { type: "ActionResponse", requestId, ...failed(outcome.error), logLines },
    );
  }

  #callOf(message: ClientMessageOf<"Mutation" | "Action">, caller: Caller): FunctionCall {
    return {
      componentPath: message.componentPath ?? "",
      path: message.udfPath,
      args: message.args[0] ?? {},
      identity: caller.identity,
      request: this.#requestOf(caller),
    };
  }

  #requestOf(caller: Caller): RequestMetadata {
    return { ...this.#ports.newRequest(), authToken: caller.token };
  }

  /** False once the token has run out: the client is told, reconnects and resends what is unanswered. */
  #mayRun(who: Identity): boolean {
    if (!hasExpired(who, this.#ports.nowMs())) return true;
    this.#rejectAuth("Token expired", { attempted: false });
    return false;
  }

  #rejectAuth(error: string, how: { attempted: boolean }): void {
    if (this.#isEnded) return;
    this.#say({
      type: "AuthError",
      error,
      baseVersion: this.#identityVersion,
      authUpdateAttempted: how.attempted,
    });
    this.#end({ code: 1008, reason: "AuthError" });
  }

  #say(message: ServerMessage): void {
    this.#ports.send(message).catch((error: unknown) => {
      this.#fault(error);
    });
  }

  #fault(error: unknown): void {
    if (this.#isEnded) return;
    this.#ports.onFault(error);
    this.#end({ code: 1011, reason: "InternalServerError" });
  }

  #end(reason: CloseReason): void {
    this.dispose();
    this.#ports.close(reason);
  }
}

function failed(error: Extract<MutationOutcome, { ok: false }>["error"]) {
  return {
    success: false as const,
    result: error.message,
    ...(error.data === undefined ? {} : { errorData: error.data }),
  };
}
