import { mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { AttemptDependencies } from "./attempt.js";
import type { CliCommand } from "./claude/command.js";
import { fileCredential, fixedCredential, standInLogin } from "./gateway/credential.js";
import { type Gateway, openGateway } from "./gateway/gateway.js";
import type { CliLogin } from "./config.js";
import { runCommand } from "./runCommand.js";
import type { Workspace } from "./workspace.js";

/** The call of the CLI as it is run: in its jail, with the run's token in the place of the login. */
export type Confined = {
  command: CliCommand;
  /** Once the CLI is gone: the token is good for nothing, and no process of the run is left. */
  close: () => Promise<void>;
};

const API_URL = "https://api.anthropic.com";
const SOCKET = "gateway.sock";
const CREDENTIALS_FILE = ".credentials.json";
const RENEW_MS_MAX = 30_000;

/** `build` makes the call with what the CLI is to log in with. */
export async function confine(
  deps: Pick<AttemptDependencies, "jail" | "clock" | "logger" | "redactor" | "tempDir" | "cli">,
  run: { workspace: Workspace; login: CliLogin; build: (login: CliLogin) => CliCommand },
): Promise<Confined> {
  const { jail, redactor } = deps;
  const { workspace, login, build } = run;
  const gateway = await openFor(login, deps, workspace);
  const forget = gateway === undefined ? () => undefined : redactor.learn([gateway.token]);
  const stand = await standIn(login, { gateway, workspace, now: deps.clock.now() });
  const cell = await jail.enter(workspace).catch(async (error: unknown) => {
    await gateway?.close();
    throw error;
  });
  const close = async (): Promise<void> => {
    await gateway?.close();
    const isClean = await cell.leave();
    if (!isClean) deps.logger.error("processesLeft", { folder: workspace.root });
    forget();
  };
  try {
    const baseUrl = gateway === undefined ? undefined : cell.gatewayUrl(gateway.url);
    const socket = gateway !== undefined && jail.hasOwnNetwork ? socketOf(workspace) : undefined;
    const command = await cell.wrap(build({ ...stand, baseUrl }), socket);
    return { command, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Undefined when there is nothing to log in with: the CLI then says so itself. */
async function openFor(
  login: CliLogin,
  deps: Parameters<typeof confine>[0],
  workspace: Workspace,
): Promise<Gateway | undefined> {
  const { jail, clock, logger, cli, tempDir } = deps;
  const renew = (): Promise<void> => renewLogin(login, { ...cli, clock, logger, tempDir });
  const credential = fixedCredential(login) ?? (await fileCredential(login, { clock, renew }));
  if (credential === undefined) return undefined;
  return openGateway({
    upstream: new URL(login.baseUrl ?? API_URL),
    credential,
    listen: jail.hasOwnNetwork ? { socket: socketOf(workspace) } : "loopback",
    onRefusal: (why) => {
      logger.warn("gatewayRefused", { why });
    },
  });
}

/** What the CLI is given: of the same kind as the real login, and worth nothing elsewhere. */
async function standIn(
  login: CliLogin,
  { gateway, workspace, now }: { gateway: Gateway | undefined; workspace: Workspace; now: number },
): Promise<CliLogin> {
  const none = { apiKey: undefined, oauthToken: undefined, baseUrl: undefined };
  const empty: CliLogin = { ...none, configDir: workspace.config };
  if (gateway === undefined) return empty;
  if (login.apiKey !== undefined) return { ...empty, apiKey: gateway.token };
  if (login.oauthToken !== undefined) return { ...empty, oauthToken: gateway.token };
  const content = await standInLogin(login, gateway.token, now);
  if (content !== undefined) {
    await writeFile(path.join(workspace.config, CREDENTIALS_FILE), content, { mode: 0o600 });
  }
  return empty;
}

/**
 * Lets the CLI renew its login file, as it does for any command that talks to its servers; `mcp list`
 * does and starts nothing, in an empty folder (2.1.197). Never rejects.
 */
async function renewLogin(
  login: CliLogin,
  deps: Pick<AttemptDependencies, "clock" | "logger" | "tempDir"> & {
    file: string | undefined;
    searchPath: string;
  },
): Promise<void> {
  const { clock, logger, tempDir, file, searchPath } = deps;
  if (file === undefined) return;
  const folder = await mkdtemp(path.join(tempDir, "renewal-"));
  try {
    const env = {
      ...{ PATH: searchPath, HOME: folder, CLAUDE_CONFIG_DIR: folder, LANG: "C.UTF-8" },
      CLAUDE_SECURESTORAGE_CONFIG_DIR: login.configDir,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_AUTOUPDATER: "1",
      ...(login.baseUrl === undefined ? {} : { ANTHROPIC_BASE_URL: login.baseUrl }),
    };
    const call = { file, args: ["mcp", "list"], cwd: folder, env };
    const limits = { timeoutMs: RENEW_MS_MAX, stdoutMax: 64 * 1024 };
    const { ending, code } = await runCommand({ ...call, ...limits }, { clock });
    logger.info("loginRenewal", { ending, code: code ?? -1 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function socketOf(workspace: Workspace): string {
  return path.join(workspace.root, SOCKET);
}
