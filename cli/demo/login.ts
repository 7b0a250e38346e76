/** Who answers the CLI: the real Anthropic API with a login found on this machine, or the script. */
import { access, constants } from "node:fs/promises";
import path from "node:path";
import type { LoginSources } from "../config.js";
import { CommandError } from "../errors.js";
import type { LoginVariables } from "./executorProcess.js";

export type LiveLogin = {
  /** For people: what was found, never its value. */
  source: string;
  variables: LoginVariables;
};

/** Finds a login for the real API; a clear error says where it looked. */
export async function findLiveLogin(sources: LoginSources): Promise<LiveLogin> {
  if (sources.apiKey !== undefined) {
    return { source: "ANTHROPIC_API_KEY", variables: { ANTHROPIC_API_KEY: sources.apiKey } };
  }
  if (sources.oauthToken !== undefined) {
    return {
      source: "CLAUDE_CODE_OAUTH_TOKEN",
      variables: { CLAUDE_CODE_OAUTH_TOKEN: sources.oauthToken },
    };
  }
  if (await isReadable(sources.credentialsFile)) {
    return {
      source: sources.credentialsFile,
      variables: { CLAUDE_CONFIG_DIR: path.dirname(sources.credentialsFile) },
    };
  }
  throw new CommandError(
    "--live needs a login for Claude and found none: set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, " +
      `or log in with "claude auth login" (looked for ${sources.credentialsFile}).`,
  );
}

/** The script's login: a key that means nothing, and a folder of its own so that no real login is touched. */
export function scriptedLogin(apiUrl: string, configDir: string): LoginVariables {
  return {
    ANTHROPIC_BASE_URL: apiUrl,
    ANTHROPIC_API_KEY: "sk-scripted",
    CLAUDE_CONFIG_DIR: configDir,
  };
}

async function isReadable(file: string): Promise<boolean> {
  try {
    await access(file, constants.R_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
}
