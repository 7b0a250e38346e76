import * as z from "zod/mini";
import { homedir, hostname, tmpdir } from "node:os";
import path from "node:path";
import {
  EXECUTOR_NAME_CHARS_MAX,
  HEARTBEAT_MS_DEFAULT,
  LEASE_MS_DEFAULT,
  LEASE_MS_MAX,
  LEASE_MS_MIN,
  SLOTS_MAX,
} from "../convex/protocol/limits.js";
import { JAIL_LEVELS } from "./jail/jail.js";
import { LOG_LEVELS } from "./logger.js";

/** A variable that cannot be right; the message names it, its value and what is allowed. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/** Heartbeats faster than this load the backend without making a lost executor known sooner. */
const HEARTBEAT_MS_MIN = 100;
/** A lease must outlive this many missed heartbeats, or one slow answer ends every attempt. */
const HEARTBEATS_PER_LEASE_MIN = 2;
const DRAIN_MS_MAX = 24 * 60 * 60_000;
const MEGABYTE = 1024 * 1024;
/** A petabyte. */
const MEGABYTES_MAX = 1_000_000_000;
/** The CLI answers within milliseconds; the rest is for machines that are busy, and for its start. */
const ANSWER_MS_DEFAULT = 2 * 60_000;
const ANSWER_MS_MIN = 1_000;
const ANSWER_MS_MAX = 60 * 60_000;

type Variable = { schema: z.ZodMiniType<unknown, string>; allowed: string; secret?: true };

const whole = (min: number, max: number) => ({
  schema: z.pipe(
    z.string().check(z.regex(/^\d{1,15}$/)),
    z.pipe(z.transform(Number), z.number().check(z.minimum(min), z.maximum(max))),
  ),
  allowed: `a whole number from ${min} to ${max}`,
});
const choice = <const T extends readonly [string, ...string[]]>(values: T) => ({
  schema: z.enum(values),
  allowed: `one of ${values.join(", ")}`,
});
const text = (allowed: string, pattern: RegExp) => ({
  schema: z.string().check(z.regex(pattern)),
  allowed,
});
const url = text("an http:// or https:// URL", /^https?:\/\/[^\s/?#]+(?:\/[^\s?#]*)?$/);
const folder = text("an absolute path", /^\/[^\0]*$/);
const list = (allowed: string, separator: string, item: RegExp) => ({
  schema: z.pipe(
    z.string(),
    z.pipe(
      z.transform((value: string) => value.split(separator).filter((part) => part !== "")),
      z.array(z.string().check(z.regex(item))),
    ),
  ),
  allowed,
});
const secret = (allowed: string) => ({ ...text(allowed, /^\S{1,8192}$/), secret: true as const });

/** Every variable the executor reads. Times are milliseconds. */
const VARIABLES = {
  CONVEX_URL: url,
  WORKER_ID: text(
    `1 to ${EXECUTOR_NAME_CHARS_MAX} letters, digits, ".", "_" or "-"`,
    new RegExp(`^[A-Za-z0-9._-]{1,${EXECUTOR_NAME_CHARS_MAX}}$`),
  ),
  FONDATION_ENROL_TOKEN: secret("the token that an administrator's enrolment printed"),
  STATE_DIR: folder,
  TEMP_DIR: folder,
  MAX_CONCURRENT_JOBS: whole(1, SLOTS_MAX),
  LEASE_TIME: whole(LEASE_MS_MIN, LEASE_MS_MAX),
  HEARTBEAT_INTERVAL: whole(HEARTBEAT_MS_MIN, LEASE_MS_MAX),
  POLL_INTERVAL: text("a number; it is not used", /^\d+$/),
  DRAIN_TIME: whole(0, DRAIN_MS_MAX),
  WORKSPACE_MB_MAX: whole(1, MEGABYTES_MAX),
  CACHE_MB_MAX: whole(0, MEGABYTES_MAX),
  DISK_FREE_MB_MIN: whole(0, MEGABYTES_MAX),
  PORT: whole(0, 65_535),
  HOST: text("a host name or an address", /^[A-Za-z0-9.:_-]{1,253}$/),
  LOG_LEVEL: choice(LOG_LEVELS),
  DEBUG: text("any text; set means LOG_LEVEL=debug", /^/),
  CLAUDE_BIN: folder,
  CLI_ANSWER_TIME: whole(ANSWER_MS_MIN, ANSWER_MS_MAX),
  ANTHROPIC_BASE_URL: url,
  ANTHROPIC_API_KEY: secret("an API key without spaces"),
  CLAUDE_CODE_OAUTH_TOKEN: secret("a token without spaces"),
  CLAUDE_CONFIG_DIR: folder,
  LOCAL_REPOSITORIES: list("absolute paths joined by colons", ":", /^\/[^\0]*$/),
  GIT_HOSTS: list("host names joined by commas", ",", /^[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?$/),
  GIT_LOOPBACK_HTTP: text("1, or unset", /^1$/),
  JAIL_LEVEL: choice([...JAIL_LEVELS, "best"]),
  JAIL_READABLE: list("absolute paths joined by colons", ":", /^\/[^\0]*$/),
  PROJECT_NOTES: text("1, or unset", /^1$/),
  PATH: text("a search path", /^[^\0]+$/),
} satisfies Record<string, Variable>;

type Name = keyof typeof VARIABLES;
type Value<N extends Name> = z.output<(typeof VARIABLES)[N]["schema"]>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the CLI may know of the machine's login; the executor itself does not use any of it. */
export type CliLogin = Readonly<{
  baseUrl: string | undefined;
  apiKey: string | undefined;
  oauthToken: string | undefined;
  /** Folder of a login file, used in place so that concurrent runs refresh it once. */
  configDir: string;
}>;

export type Config = ReturnType<typeof parseConfig>;

/** This process's environment: the only reader of process.env. */
export function readEnvironment(): Environment {
  return process.env;
}

/** The configuration of this process. */
export function loadConfig(): Config {
  return parseConfig(readEnvironment());
}

/** Environment → frozen configuration; throws ConfigError on the first value that cannot be right. */
export function parseConfig(environment: Environment) {
  const get = <N extends Name>(name: N): Value<N> | undefined => readVariable(environment, name);
  const convexUrl = get("CONVEX_URL");
  if (convexUrl === undefined) {
    throw new ConfigError("CONVEX_URL is not set; set it to the URL of the deployment.");
  }
  const leaseMs = get("LEASE_TIME") ?? LEASE_MS_DEFAULT;
  const folderOf = (name: "STATE_DIR" | "TEMP_DIR", ...otherwise: [string, ...string[]]) =>
    get(name) ?? path.join(...otherwise);
  return Object.freeze({
    convexUrl,
    name: get("WORKER_ID") ?? defaultName(),
    enrolToken: get("FONDATION_ENROL_TOKEN"),
    stateDir: folderOf("STATE_DIR", homedir(), ".fondation", "executor"),
    tempDir: folderOf("TEMP_DIR", tmpdir(), "fondation"),
    slots: get("MAX_CONCURRENT_JOBS") ?? 1,
    leaseMs,
    heartbeatMs: heartbeatFor(leaseMs, get("HEARTBEAT_INTERVAL")),
    pollIntervalGiven: get("POLL_INTERVAL") !== undefined,
    drainMs: get("DRAIN_TIME") ?? 0,
    ...readRoom(environment),
    host: get("HOST") ?? "127.0.0.1",
    port: get("PORT") ?? 8080,
    logLevel: get("LOG_LEVEL") ?? (get("DEBUG") === undefined ? "info" : "debug"),
    claudeBin: get("CLAUDE_BIN"),
    answerMs: get("CLI_ANSWER_TIME") ?? ANSWER_MS_DEFAULT,
    login: readLogin(environment),
    localRepositories: Object.freeze(get("LOCAL_REPOSITORIES") ?? []),
    gitHosts: Object.freeze(get("GIT_HOSTS") ?? ["github.com"]),
    loopbackHttp: get("GIT_LOOPBACK_HTTP") === "1",
    jail: readJail(environment),
    projectNotes: get("PROJECT_NOTES") !== undefined,
    searchPath: get("PATH") ?? "/usr/local/bin:/usr/bin:/bin",
  });
}

function readJail(environment: Environment) {
  return Object.freeze({
    level: readVariable(environment, "JAIL_LEVEL") ?? "jail",
    readable: Object.freeze(readVariable(environment, "JAIL_READABLE") ?? []),
  });
}

/** Bounds of what is kept on disk, in bytes. */
function readRoom(environment: Environment) {
  const bytes = (
    name: "WORKSPACE_MB_MAX" | "CACHE_MB_MAX" | "DISK_FREE_MB_MIN",
    megabytes: number,
  ) => (readVariable(environment, name) ?? megabytes) * MEGABYTE;
  return {
    workspaceBytesMax: bytes("WORKSPACE_MB_MAX", 10_240),
    cacheBytesMax: bytes("CACHE_MB_MAX", 2_048),
    diskFreeBytesMin: bytes("DISK_FREE_MB_MIN", 1_024),
  };
}

function readLogin(environment: Environment): CliLogin {
  return Object.freeze({
    baseUrl: readVariable(environment, "ANTHROPIC_BASE_URL"),
    apiKey: readVariable(environment, "ANTHROPIC_API_KEY"),
    oauthToken: readVariable(environment, "CLAUDE_CODE_OAUTH_TOKEN"),
    configDir: readVariable(environment, "CLAUDE_CONFIG_DIR") ?? path.join(homedir(), ".claude"),
  });
}

/** Every value of the configuration that must not appear in a log. */
export function secretsOf(config: Config): string[] {
  const { login } = config;
  return [config.enrolToken, login.apiKey, login.oauthToken].filter((s) => s !== undefined);
}

/** An empty variable counts as unset, as compose files write it. */
function readVariable<N extends Name>(environment: Environment, name: N): Value<N> | undefined {
  const given = environment[name];
  if (given === undefined || given === "") return undefined;
  const variable: Variable = VARIABLES[name];
  const parsed = variable.schema.safeParse(given);
  if (!parsed.success) {
    const shown = variable.secret === true ? "not usable" : JSON.stringify(given);
    throw new ConfigError(`${name} is ${shown}; it must be ${variable.allowed}.`);
  }
  // The widened schema is VARIABLES[name]'s own, so its output is Value<N>.
  return parsed.data as Value<N>;
}

function heartbeatFor(leaseMs: number, given: number | undefined): number {
  const most = Math.floor(leaseMs / HEARTBEATS_PER_LEASE_MIN);
  if (given === undefined) return Math.min(HEARTBEAT_MS_DEFAULT, Math.floor(leaseMs / 3));
  if (given > most) {
    throw new ConfigError(
      `HEARTBEAT_INTERVAL is "${given}"; it must be a whole number from ${HEARTBEAT_MS_MIN} to ${most}, half of LEASE_TIME (${leaseMs}).`,
    );
  }
  return given;
}

function defaultName(): string {
  const cleaned = hostname().replaceAll(/[^A-Za-z0-9._-]/g, "-");
  return cleaned.slice(0, EXECUTOR_NAME_CHARS_MAX) || "executor";
}
