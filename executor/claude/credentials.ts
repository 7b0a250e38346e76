import { constants } from "node:fs";
import { access } from "node:fs/promises";
import path from "node:path";
import type { ExecutorLogin } from "../../convex/protocol/credential.js";
import type { CliLogin } from "../config.js";

/** Where the CLI's login comes from, as far as can be told without asking the API. */
export type LoginState =
  | { kind: "variable" }
  | { kind: "file"; folder: string }
  /** A login the CLI could read but not refresh: it would be spent at its expiry and lost. */
  | { kind: "readOnlyFile"; folder: string }
  | { kind: "none" };

export async function probeLogin(login: CliLogin): Promise<LoginState> {
  if (login.apiKey !== undefined || login.oauthToken !== undefined) return { kind: "variable" };
  const file = path.join(login.configDir, ".credentials.json");
  if (!(await may(file, constants.R_OK))) return { kind: "none" };
  const isWritable =
    (await may(file, constants.W_OK)) && (await may(login.configDir, constants.W_OK));
  return { kind: isWritable ? "file" : "readOnlyFile", folder: login.configDir };
}

/** How the CLI logs in here, as the deployment counts credentials; none asks it for one. */
export function loginKind(login: CliLogin, state: LoginState): ExecutorLogin {
  if (state.kind === "none") return "none";
  return login.apiKey === undefined ? "subscription" : "apiKey";
}

/**
 * The variables that carry a login to the CLI. A login file is used in place, in one shared writable
 * folder, never copied: two copies of one login end each other at the first refresh, and the CLI's
 * own lock lets concurrent runs refresh it once.
 */
export function loginEnvironment(login: CliLogin): Record<string, string> {
  const env: Record<string, string> = {};
  if (login.baseUrl !== undefined) env["ANTHROPIC_BASE_URL"] = login.baseUrl;
  if (login.apiKey !== undefined) env["ANTHROPIC_API_KEY"] = login.apiKey;
  if (login.oauthToken !== undefined) env["CLAUDE_CODE_OAUTH_TOKEN"] = login.oauthToken;
  if (login.apiKey === undefined && login.oauthToken === undefined) {
    env["CLAUDE_SECURESTORAGE_CONFIG_DIR"] = login.configDir;
  }
  return env;
}

async function may(file: string, mode: number): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  );
}
