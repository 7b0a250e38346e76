import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { ConvexError } from "convex/values";
import { api } from "../convex/_generated/api.js";
import type { Artifact } from "../convex/protocol/artifact.js";
import type { SpentView } from "../convex/protocol/budget.js";
import type { Checkpoint, Resumption } from "../convex/protocol/checkpoint.js";
import { ERROR_CODES, type ErrorCode } from "../convex/protocol/errors.js";
import type {
  Assignment,
  HeartbeatReply,
  HeldAttempt,
  Registration,
  TokenReply,
  Work,
} from "../convex/protocol/executor.js";
import type { AttemptReport, Outcome, Phase } from "../convex/protocol/job.js";
import type { AppendReply, LogEntry } from "../convex/protocol/log.js";
import type { IssuedSecret, SecretUse } from "../convex/protocol/secret.js";
import type { SteeringOrder } from "../convex/protocol/steering.js";
import { type Clock, pause } from "./clock.js";
import type { Enrol } from "./identity.js";
import type { Keys, Rotation } from "./keys.js";
import type { Logger } from "./logger.js";
import type { Disk } from "../convex/protocol/alerts.js";
import { smallFetch } from "./smallFetch.js";

/** The queue, as an executor sees it: the only way in or out of Convex. Failures are BackendError. */
export interface Backend {
  /** `settling`: attempts of an earlier process whose log and end this one has. */
  register(
    registration: Registration,
    settling?: readonly HeldAttempt[],
  ): Promise<{ leaseMs: number }>;
  /** Calls back with every change of this executor's assignments, the present ones first. */
  watchAssignments(onChange: (assignments: Assignment[]) => void): void;
  start(held: HeldAttempt): Promise<Work>;
  phase(held: HeldAttempt, step: PhaseStep): Promise<void>;
  /** What an attempt has cost so far. */
  meter(held: HeldAttempt, spent: SpentView): Promise<void>;
  /** What people told the attempt, and it has not answered for. */
  takeOrders(held: HeldAttempt): Promise<SteeringOrder[]>;
  acknowledgeOrder(held: HeldAttempt, order: Pick<SteeringOrder, "steeringId">): Promise<void>;
  heartbeat(held: HeldAttempt[], disk: Disk | undefined): Promise<HeartbeatReply>;
  appendLog(held: HeldAttempt, seq: number, entries: LogEntry[]): Promise<AppendReply>;
  finish(held: HeldAttempt, ending: Ending): Promise<void>;
  /** As many addresses to upload one file each to. */
  uploadUrls(held: HeldAttempt, count: number): Promise<string[]>;
  attachCheckpoint(held: HeldAttempt, checkpoint: Checkpoint): Promise<void>;
  /** Tells what became of the checkpoint that `start` offered. */
  restored(held: HeldAttempt, resumption: Resumption): Promise<void>;
  attachArtifact(held: HeldAttempt, artifact: Artifact): Promise<void>;
  goOffline(): Promise<void>;
  /** The secret that an attempt needs; null when the deployment keeps none for it. */
  issueSecret(held: HeldAttempt, use: SecretUse): Promise<IssuedSecret | null>;
  /** Tells the deployment of the executor's next key, and goes on with a token of it. */
  rotateKey(rotation: Rotation): Promise<{ ok: true } | { ok: false; code: string }>;
  isConnected(): boolean;
  close(): Promise<void>;
}
export type PhaseStep = { phase: Phase; commit?: string; spawnedAt?: number };
export type Ending = { outcome: Outcome; report: AttemptReport };

/** A refusal with the contract's code, or `OTHER` for anything the contract does not name. */
export class BackendError extends Error {
  override name = "BackendError";
  readonly code: ErrorCode | "OTHER";
  constructor(code: ErrorCode | "OTHER", message: string) {
    super(message);
    this.code = code;
  }
}

/** Codes after which this process may not go on: another took over, or a person ended it. */
export type FinalCode = Extract<ErrorCode, "SUPERSEDED" | "REVOKED">;

const TOKEN_RETRY_MS_MIN = 250;
const TOKEN_RETRY_MS_MAX = 15_000;

type Connection = {
  url: string;
  clock: Clock;
  logger: Logger;
  /** They sign a fresh assertion for each request: each is good once. */
  keys: Pick<Keys, "executorId" | "assertion" | "swap" | "granted">;
  /** Called once; the process has to end. */
  onFinal: (code: FinalCode) => void;
};

/** Enrolment needs no identity and happens before there is a connection. */
export function enrolOver(url: string): Enrol {
  const http = httpClient(url);
  return (args) => http.mutation(api.executors.enrol, args);
}

/** Opens the connection; it reconnects and renews its token by itself until closed. */
export function connectBackend(connection: Connection): Backend {
  const client = new ConvexClient(connection.url, {
    skipConvexDeploymentUrlCheck: true,
    // One Authenticate at connect instead of two, each of which runs every query again.
    initialAuthTokenReuse: true,
    unsavedChangesWarning: false,
    logger: false,
  });
  const closing = new AbortController();
  const final = reportFinalOnce(connection, closing);
  const identity = keepAuthenticated({ client, connection, closing: closing.signal, final });
  const call = callWith(identity, final);
  const { artifacts, checkpoints, executors, files, logs, secrets, steering } = api;
  return {
    register: (registration, settling = []) =>
      call(() => client.mutation(executors.register, { registration, settling: [...settling] })),
    watchAssignments: (onChange) => {
      client.onUpdate(executors.assignments, {}, onChange, (error) => {
        const failure = toBackendError(error);
        final(failure);
        connection.logger.warn("assignmentsFailed", { code: failure.code, why: failure.message });
      });
    },
    start: (held) => call(() => client.mutation(executors.start, held)),
    phase: async (held, step) => {
      await call(() => client.mutation(executors.phase, { ...held, ...step }));
    },
    takeOrders: (held) => call(() => client.mutation(steering.take, held)),
    acknowledgeOrder: async (held, order) => {
      await call(() => client.mutation(steering.acknowledge, { ...held, ...order }));
    },
    meter: async (held, spent) => {
      await call(() => client.mutation(executors.meter, { ...held, ...spent }));
    },
    heartbeat: (held, disk) =>
      call(() =>
        client.mutation(executors.heartbeat, disk === undefined ? { held } : { held, disk }),
      ),
    appendLog: (held, seq, entries) =>
      call(() => client.mutation(logs.append, { ...held, seq, entries })),
    finish: async (held, ending) => {
      await call(() => client.mutation(executors.finish, { ...held, ...ending }));
    },
    uploadUrls: (held, count) => call(() => client.mutation(files.uploadUrls, { ...held, count })),
    attachCheckpoint: async (held, checkpoint) => {
      await call(() => client.mutation(checkpoints.attach, { ...held, checkpoint }));
    },
    restored: async (held, resumption) => {
      await call(() => client.mutation(checkpoints.restored, { ...held, resumption }));
    },
    attachArtifact: async (held, artifact) => {
      await call(() => client.mutation(artifacts.attach, { ...held, artifact }));
    },
    goOffline: async () => {
      await call(() => client.mutation(executors.goOffline, {}));
    },
    issueSecret: (held, use) => call(() => client.action(secrets.issue, { ...held, use })),
    rotateKey: async (rotation) => {
      const reply = await call(() => client.mutation(executors.rotateKey, rotation));
      // The old token died with the old key.
      if (reply.ok) identity.renew(reply.accessToken);
      return reply;
    },
    isConnected: () => client.connectionState().isWebSocketConnected,
    close: async () => {
      closing.abort();
      await client.close();
    },
  };
}

type FinalSink = (error: BackendError) => void;

function reportFinalOnce(connection: Connection, closing: AbortController): FinalSink {
  return (error) => {
    if (error.code !== "SUPERSEDED" && error.code !== "REVOKED") return;
    if (closing.signal.aborted) return;
    closing.abort();
    connection.onFinal(error.code);
  };
}

/** The identity that a connection has at the moment. */
type Authentication = {
  /** Counts renewals. */
  generation: () => number;
  /** Gets a new token, or takes this one, and authenticates anew. */
  renew: (token?: string) => void;
};

/**
 * Calls, and once more with a new token when the one in use is no longer taken: it was of a key that
 * was replaced meanwhile. Every function of the contract may be asked again.
 */
function callWith(identity: Authentication, final: FinalSink) {
  return async <T>(make: () => Promise<T>): Promise<T> => {
    const before = identity.generation();
    const failed = (error: unknown): never => {
      const failure = toBackendError(error);
      final(failure);
      throw failure;
    };
    return make().catch((error: unknown) => {
      if (toBackendError(error).code !== "UNAUTHENTICATED") return failed(error);
      if (identity.generation() === before) identity.renew();
      return make().catch(failed);
    });
  };
}

/**
 * The client gives up its identity for good when a fetch answers null and ends the process when one
 * throws; so the fetcher does neither as long as there is hope, and a lost identity is set again.
 */
function keepAuthenticated(options: {
  client: ConvexClient;
  connection: Connection;
  closing: AbortSignal;
  final: FinalSink;
}): Authentication {
  const { client, connection, closing, final } = options;
  const http = httpClient(connection.url);
  let generation = 0;
  let given: string | undefined;
  const fetchToken = async (): Promise<string | null> => {
    if (given !== undefined) {
      const token = given;
      given = undefined;
      return token;
    }
    for (let tries = 0; !closing.aborted; tries += 1) {
      const reply = await requestToken(http, connection);
      if (reply.ok) return reply.accessToken;
      const code = finalCode(reply.code);
      if (code !== undefined) {
        final(new BackendError(code, "the deployment refuses this executor a token"));
        return null;
      }
      connection.logger.warn("tokenRefused", { code: reply.code, tries });
      if (reply.code === "UNAUTHENTICATED") connection.keys.swap();
      const waitMs = Math.min(TOKEN_RETRY_MS_MAX, TOKEN_RETRY_MS_MIN * 2 ** Math.min(tries, 10));
      await pause(connection.clock, waitMs, closing);
    }
    return null;
  };
  const authenticate = (): void => {
    client.setAuth(fetchToken, (isAuthenticated) => {
      if (isAuthenticated || closing.aborted) return;
      connection.clock.after(TOKEN_RETRY_MS_MIN, () => {
        if (!closing.aborted) authenticate();
      });
    });
  };
  authenticate();
  return {
    generation: () => generation,
    renew: (token) => {
      generation += 1;
      given = token;
      authenticate();
    },
  };
}

/** Never rejects: a deployment that cannot be reached is a refusal with a code of its own. */
async function requestToken(http: ConvexHttpClient, connection: Connection): Promise<TokenReply> {
  const { keys } = connection;
  const { executorId } = keys;
  try {
    const assertion = keys.assertion();
    const reply = await http.mutation(api.executors.token, { executorId, assertion });
    if (reply.ok) await keys.granted();
    return reply;
  } catch (error) {
    const failure = toBackendError(error);
    return { ok: false, code: failure.code === "OTHER" ? failure.message : failure.code };
  }
}

function finalCode(code: string): FinalCode | undefined {
  return code === "SUPERSEDED" || code === "REVOKED" ? code : undefined;
}

function httpClient(url: string): ConvexHttpClient {
  return new ConvexHttpClient(url, {
    skipConvexDeploymentUrlCheck: true,
    logger: false,
    fetch: smallFetch,
  });
}

function toBackendError(error: unknown): BackendError {
  if (error instanceof BackendError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof ConvexError)) return new BackendError("OTHER", message);
  const data: unknown = error.data;
  if (typeof data !== "object" || data === null || !("code" in data)) {
    return new BackendError("OTHER", message);
  }
  const code = ERROR_CODES.find((known) => known === data.code) ?? "OTHER";
  return new BackendError(code, "message" in data ? String(data.message) : message);
}
