#!/usr/bin/env node
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { SLOTS_MAX } from "../convex/protocol/limits.js";
import { type AttemptDependencies, startAttempt } from "./attempt.js";
import { type Backend, connectBackend, enrolOver, type FinalCode } from "./backend.js";
import { findCli } from "./claude/binary.js";
import { loginKind, probeLogin } from "./claude/credentials.js";
import { systemClock, within } from "./clock.js";
import { type Config, ConfigError, loadConfig, readEnvironment, secretsOf } from "./config.js";
import { examine, report } from "./doctor/main.js";
import { startHealth } from "./health.js";
import { type HealthState, viewHealth } from "./healthView.js";
import { type Boot, type Enrol, IdentityError, loadIdentity } from "./identity.js";
import { type Keys, keysOf } from "./keys.js";
import { type DiskGuard, guardDisk } from "./disk.js";
import { keepLease } from "./lease.js";
import { BRIDGE_COMMAND, bridge } from "./jail/bridge.js";
import { type Jail, JailError, jailOptions, provideJail } from "./jail/jail.js";
import { readJournals } from "./journal.js";
import { createLogger, type Logger } from "./logger.js";
import { sweepProcesses } from "./processTree.js";
import { createRedactor } from "./redact.js";
import { openRepositoryCache } from "./repositoryCache.js";
import { lostEnding, settleAll } from "./settle.js";
import { createSupervisor, type Supervisor } from "./supervisor.js";
import { VERSION } from "./version.js";
import { sweepLeftovers } from "./workspace.js";

/** How the process ends, for whoever supervises it (sysexits.h where it has a word for it). */
const EXIT = {
  ok: 0,
  /** The doctor found something that keeps the executor from working. */
  unwell: 1,
  /** A variable of the configuration cannot be right. */
  usage: 64,
  /** The port of the health page is taken or may not be opened. */
  unavailable: 69,
  internal: 70,
  /** Another process with this identity took over: do not start this one again. */
  superseded: 76,
  /** The executor was revoked, or its enrolment refused: a person has to act. */
  refused: 77,
  /** A second signal: 128 + SIGINT. */
  killed: 130,
} as const;

const GO_OFFLINE_MS = 3_000;
const KILL_MS_MAX = 2_000;
const clock = systemClock;

/** An end of the process that the operator has to understand: a code and one sentence. */
class Ending extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

type Running = {
  config: Config;
  logger: Logger;
  backend: Backend;
  supervisor: Supervisor;
  keys: Keys;
  jail: Jail;
  disk: DiskGuard;
  /** Rejects with an Ending when the identity is lost. */
  lost: Promise<never>;
};

/** The whole life of the process: start, work until told to stop, leave in order. */
async function main(): Promise<void> {
  const markers = new Set<string>();
  const firstSignal = untilFirstSignal(markers);
  const config = loadConfig();
  const redactor = createRedactor(secretsOf(config));
  const logger = createLogger({
    level: config.logLevel,
    redact: (text) => redactor.text(text),
    write: (line) => {
      process.stderr.write(line);
    },
  });
  if (config.pollIntervalGiven) {
    logger.warn("pollIntervalUnused", { why: "assignments are pushed; nothing polls" });
  }
  await mkdir(config.tempDir, { recursive: true, mode: 0o700 });
  const boot: Boot = { id: randomUUID(), at: clock.now() };
  const jail = await provideJail(config.jail.level, jailOptions(config, clock));
  const [identity, cli, login] = await Promise.all([
    loadIdentity({ ...config, enrol: (args) => enrol(config.convexUrl, args) }),
    findCli({ given: config.claudeBin, searchPath: config.searchPath, clock }),
    probeLogin(config.login),
    sweepLeftovers(config.tempDir, { clock, logger }),
    jail.sweep(),
  ]);
  const { lost, onFinal } = expectIdentity();
  const keys = keysOf(identity, { stateDir: config.stateDir, boot, clock });
  const backend = connectBackend({
    url: config.convexUrl,
    clock,
    logger,
    keys,
    onFinal,
  });
  const health: HealthState = {
    login,
    hasCli: cli !== undefined,
    hasAuthFailed: false,
    isDraining: false,
    lease: undefined,
  };
  const supervisor = supervise({
    config,
    logger,
    backend,
    redactor,
    health,
    cliFile: cli?.file,
    markers,
    jail,
  });
  const { tempDir: folder, diskFreeBytesMin: freeBytesMin } = config;
  const disk = guardDisk({ folder, freeBytesMin, logger });
  const running: Running = { config, logger, backend, supervisor, keys, jail, disk, lost };
  try {
    await Promise.race([lost, firstSignal, work(running, health, cli?.version ?? "none")]);
  } catch (error) {
    supervisor.stopAll("abandon");
    await supervisor.drain(0);
    throw error;
  }
  await leave(running);
}

/** Registers, subscribes and keeps the lease; never resolves. */
async function work(running: Running, health: HealthState, cliVersion: string): Promise<void> {
  const { config, logger, backend, supervisor, disk } = running;
  const take = (): void => {
    supervisor.setTaking(!health.isDraining && !disk.isLow());
  };
  const rotate = keyRotation(running);
  const page = await startHealth({
    ...config,
    view: () => viewHealth(running, health),
  }).catch((error: unknown) => {
    const where = `${config.host}:${config.port}`;
    throw new Ending(
      EXIT.unavailable,
      `The health page cannot use ${where}: ${String(error)}. Set PORT to a free port, or to 0 for any.`,
    );
  });
  const grantedAt = clock.monotonic();
  const { slots, leaseMs } = config;
  const { level: jail } = running.jail;
  const login = loginKind(config.login, health.login);
  const registration = { slots, leaseMs, version: VERSION, cliVersion, labels: [], login, jail };
  const leftovers = await readJournals(journalsOf(config));
  const settling = leftovers.map((leftover) => leftover.held).slice(0, SLOTS_MAX);
  const registered = await backend.register(registration, settling);
  health.lease = keepLease({
    clock,
    logger,
    leaseMs: registered.leaseMs,
    heartbeatMs: Math.min(config.heartbeatMs, registered.leaseMs / 3),
    grantedAt,
    held: () => supervisor.held(),
    send: async (held) => {
      const reply = await backend.heartbeat(held, await disk.look());
      if (reply.rotateKey === true) void rotate();
      return reply;
    },
    onDirective: (held, directive) => {
      supervisor.heed(held, directive);
    },
    onDrain: (drain) => {
      health.isDraining = drain;
      take();
    },
    onLost: () => {
      // What began now would run without a deadline; the next acknowledged heartbeat lifts this.
      supervisor.setTaking(false);
      supervisor.stopAll("leaseLost");
    },
  });
  await disk.look();
  take();
  // Before the subscription: it shows them as running here, and they would be given back at once.
  await settleAll(leftovers, { backend, clock, logger });
  let isSubscribed = false;
  backend.watchAssignments((assignments) => {
    if (!isSubscribed) {
      isSubscribed = true;
      const startMs = Math.round(process.uptime() * 1000);
      const { name } = config;
      const told = { name, port: page.port, slots, startMs, cliVersion, jail };
      logger.info("subscribed", told);
    }
    supervisor.reconcile(assignments);
  });
  await new Promise(() => undefined);
}

function journalsOf({ stateDir }: Config): string {
  return path.join(stateDir, "journal");
}

/** Replaces the executor's key, one rotation at a time; what runs goes on. Never rejects. */
function keyRotation({ backend, keys, logger }: Running): () => Promise<void> {
  let isRotating = false;
  return async () => {
    if (isRotating) return;
    isRotating = true;
    try {
      const reply = await backend.rotateKey(await keys.prepare());
      if (reply.ok) await keys.commit();
      logger.info("keyRotation", reply.ok ? { done: true } : { done: false, code: reply.code });
    } catch (error) {
      // The next key is kept: if the deployment took it, the next token is asked for with it.
      logger.warn("keyRotationUnsure", { why: String(error) });
    } finally {
      isRotating = false;
    }
  };
}

/** In order: no new work, what runs ends or is interrupted, the backend hears that we are gone. */
async function leave({ config, logger, backend, supervisor }: Running): Promise<void> {
  await supervisor.drain(config.drainMs);
  await within(clock, GO_OFFLINE_MS, backend.goOffline()).catch((error: unknown) => {
    logger.warn("goOfflineFailed", { why: String(error) });
  });
  logger.info("stopped");
  await within(clock, GO_OFFLINE_MS, backend.close());
}

function supervise(options: {
  config: Config;
  logger: Logger;
  backend: Backend;
  redactor: AttemptDependencies["redactor"];
  health: HealthState;
  cliFile: string | undefined;
  markers: Set<string>;
  jail: Jail;
}): Supervisor {
  const { config, logger, backend, redactor, health, cliFile, markers, jail } = options;
  const { searchPath, login, cacheBytesMax } = config;
  const deps: AttemptDependencies = {
    backend,
    clock,
    logger,
    redactor,
    markers,
    jail,
    tempDir: config.tempDir,
    workspaceBytesMax: config.workspaceBytesMax,
    journals: journalsOf(config),
    git: {
      searchPath,
      hosts: config.gitHosts,
      localFolders: config.localRepositories,
      loopbackHttp: config.loopbackHttp,
      ...(cacheBytesMax === 0
        ? {}
        : { cache: openRepositoryCache(path.join(config.stateDir, "cache"), cacheBytesMax) }),
    },
    cli: {
      file: cliFile,
      login,
      isLoginMissing: health.login.kind === "none",
      searchPath,
      isRoot: process.getuid?.() === 0,
      projectNotes: config.projectNotes,
      answerMs: config.answerMs,
    },
  };
  return createSupervisor({
    slots: config.slots,
    clock,
    logger,
    start: (assignment) => startAttempt(assignment, deps),
    disown: (held) => {
      backend.finish(held, lostEnding()).catch((error: unknown) => {
        logger.warn("disownRefused", { ...held, why: String(error) });
      });
    },
    onEnd: (outcome) => {
      if (outcome?.kind === "succeeded") health.hasAuthFailed = false;
      if (outcome?.kind === "failed" && outcome.reason === "cliAuth") health.hasAuthFailed = true;
    },
  });
}

function expectIdentity(): { lost: Promise<never>; onFinal: (code: FinalCode) => void } {
  let onFinal: (code: FinalCode) => void = () => undefined;
  const lost = new Promise<never>((_, reject) => {
    onFinal = (code) => {
      reject(
        code === "SUPERSEDED"
          ? new Ending(EXIT.superseded, "A newer process took over this executor's identity.")
          : new Ending(EXIT.refused, "This executor was revoked; enrol it again to use it."),
      );
    };
  });
  return { lost, onFinal };
}

/**
 * The first SIGTERM, SIGINT or SIGHUP asks to leave. The second ends the process at once, and with it
 * every process tree of `markers`: nobody else would.
 */
function untilFirstSignal(markers: ReadonlySet<string>): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      process.on(name, () => {
        count += 1;
        if (count === 1) resolve();
        if (count === 2) void killEverything(markers).finally(() => process.exit(EXIT.killed));
      });
    }
  });
}

async function killEverything(markers: ReadonlySet<string>): Promise<void> {
  const sweeps = [...markers].map((marker) => sweepProcesses(marker, clock));
  await within(clock, KILL_MS_MAX, Promise.allSettled(sweeps));
}

async function enrol(url: string, args: Parameters<Enrol>[0]): ReturnType<Enrol> {
  return enrolOver(url)(args).catch((error: unknown) => {
    throw new Ending(EXIT.unavailable, `The deployment at ${url} did not answer: ${String(error)}`);
  });
}

function explain(error: unknown): { code: number; sentence: string } {
  if (error instanceof Ending) return { code: error.code, sentence: error.message };
  if (error instanceof ConfigError) return { code: EXIT.usage, sentence: error.message };
  if (error instanceof JailError) return { code: EXIT.unavailable, sentence: error.message };
  if (error instanceof IdentityError) return { code: EXIT.refused, sentence: error.message };
  const sentence = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: EXIT.internal, sentence };
}

/** No argument: work. `doctor [--json]`: say what is wrong with this machine, and exit 1 if something is. */
async function choose([command, ...rest]: readonly string[]): Promise<number> {
  if (command === undefined) return main().then(() => EXIT.ok);
  if (command === BRIDGE_COMMAND && rest[0] !== undefined) return bridge(rest[0]);
  const asJson = rest.includes("--json");
  if (command !== "doctor" || rest.length > Number(asJson)) {
    process.stderr.write("executor: the commands are none (to work) and `doctor [--json]`.\n");
    return EXIT.usage;
  }
  const findings = await examine(readEnvironment());
  process.stdout.write(report(findings, asJson));
  return findings.some(({ status }) => status === "fail") ? EXIT.unwell : EXIT.ok;
}

choose(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    const { code, sentence } = explain(error);
    process.stderr.write(`executor: ${sentence}\n`);
    process.exit(code);
  },
);
