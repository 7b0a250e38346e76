import { readFile } from "node:fs/promises";
import path from "node:path";
import * as z from "zod/mini";
import { findCli } from "../claude/binary.js";
import { probeLogin } from "../claude/credentials.js";
import type { Clock } from "../clock.js";
import type { CliLogin, Config } from "../config.js";
import { fail, type Finding, ok, warn } from "./check.js";
import { othersMay } from "./machine.js";

/** The version whose flags and events the executor was tested against (package.json's pin). */
const CLI_TESTED = "2.1.197";

export async function checkCli(config: Config, clock: Clock): Promise<Finding> {
  const { claudeBin, searchPath } = config;
  const cli = await findCli({ given: claudeBin, searchPath, clock });
  if (cli === undefined) {
    const where = claudeBin ?? "next to the executor or on PATH";
    return fail(
      "claude",
      `no claude binary: ${where}`,
      `npm install @anthropic-ai/claude-code@${CLI_TESTED}, or set CLAUDE_BIN to the binary`,
    );
  }
  const says = `claude ${cli.version} at ${cli.file}`;
  return cli.version === CLI_TESTED
    ? ok("claude", says)
    : warn(
        "claude",
        says,
        `this executor was tested with ${CLI_TESTED}; run a job before you rely on it`,
      );
}

/** What the CLI writes; other fields are of no concern here. */
const credentialsFile = z.object({
  claudeAiOauth: z.object({ refreshToken: z.string(), expiresAt: z.number() }),
});

/** Only what can be told without asking the API: a revoked login shows in the first run. */
export async function checkLogin(login: CliLogin, clock: Clock): Promise<Finding> {
  const state = await probeLogin(login);
  switch (state.kind) {
    case "variable":
      return ok("login", login.apiKey === undefined ? "a token by variable" : "an API key");
    case "none":
      return warn(
        "login",
        `no variable and no login file in ${login.configDir}`,
        "run `claude auth login`, set CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY, or store a Claude credential in the deployment",
      );
    case "readOnlyFile":
      return fail(
        "login",
        `the login file in ${state.folder} is read-only: its first renewal would be lost`,
        "make the folder and .credentials.json writable for the executor's user; mount no login read-only",
      );
    case "file":
      return checkLoginFile(path.join(state.folder, ".credentials.json"), clock);
  }
}

async function checkLoginFile(file: string, clock: Clock): Promise<Finding> {
  const parsed = credentialsFile.safeParse(parseJson(await readFile(file, "utf8")));
  const again = "run `claude auth login` as the executor's user";
  if (!parsed.success) return fail("login", `${file} is no login of the CLI`, again);
  const { refreshToken, expiresAt } = parsed.data.claudeAiOauth;
  // The CLI blanks the file when its renewal is refused.
  if (refreshToken === "" && expiresAt <= clock.now()) {
    return fail("login", `${file} holds a login that has ended`, again);
  }
  if ((await othersMay(file)) !== 0) {
    return warn("login", `${file} is open to other users of this machine`, `chmod 600 ${file}`);
  }
  return ok("login", `${file}, renewed by the CLI itself`);
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
