import path from "node:path";
import { systemClock } from "../clock.js";
import { type Config, ConfigError, type Environment, parseConfig } from "../config.js";
import { IDENTITY_FILE, readIdentity } from "../identity.js";
import { fail, type Finding, ok, warn } from "./check.js";
import { checkCli, checkLogin } from "./login.js";
import {
  cannotWrite,
  checkGit,
  checkJail,
  checkLocalRepositories,
  checkMemory,
  checkNode,
  checkUser,
  checkWorkspaces,
  othersMay,
} from "./machine.js";
import { checkDeployment, checkHosts, checkPort } from "./network.js";

/**
 * `fondation-executor doctor`: everything an operator can get wrong, looked at without changing or
 * starting anything. It does not sign in: that would take the identity from a running executor.
 */
export async function examine(environment: Environment): Promise<Finding[]> {
  const node = checkNode(process.versions.node);
  const config = read(environment);
  if ("status" in config) return [node, config];
  const looked = await Promise.all([
    checkGit(config.searchPath, systemClock),
    checkJail(config, systemClock),
    checkCli(config, systemClock),
    checkLogin(config.login, systemClock),
    checkState(config),
    checkWorkspaces(config),
    checkLocalRepositories(config.localRepositories),
    checkPort(config),
    checkDeployment(config.convexUrl, systemClock),
    checkHosts(config),
  ]);
  const readable = ok("configuration", "every variable can be read");
  return [node, readable, checkUser(process.getuid?.()), checkMemory(config.slots), looked].flat(2);
}

/** Findings as lines for people, or one JSON object for scripts; secrets are in none of them. */
export function report(findings: readonly Finding[], asJson: boolean): string {
  const failed = findings.filter(({ status }) => status === "fail").length;
  const warned = findings.filter(({ status }) => status === "warn").length;
  if (asJson) return `${JSON.stringify({ ok: failed === 0, failed, warned, findings })}\n`;
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.map(({ name, status, says, fix }) => {
    const line = `${status.padEnd(4)}  ${name.padEnd(width)}  ${says}`;
    return fix === undefined ? line : `${line}\n${" ".repeat(width + 8)}→ ${fix}`;
  });
  return `${[...lines, "", `${String(failed)} failed, ${String(warned)} warned`].join("\n")}\n`;
}

function read(environment: Environment): Config | Finding {
  try {
    return parseConfig(environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return fail("configuration", error.message, "correct the variable; README lists them all");
  }
}

async function checkState({ stateDir, enrolToken }: Config): Promise<Finding> {
  const trouble = await cannotWrite(stateDir);
  if (trouble !== undefined) {
    const fix = "set STATE_DIR to a folder that only the executor's user can write";
    return fail("identity", `STATE_DIR ${stateDir}: ${trouble}`, fix);
  }
  const file = path.join(stateDir, IDENTITY_FILE);
  try {
    const executorId = await readIdentity(stateDir);
    if (executorId !== undefined) {
      return (await othersMay(file)) === 0
        ? ok("identity", `enrolled as ${executorId}`)
        : warn("identity", `${file} is open to other users of this machine`, `chmod 600 ${file}`);
    }
  } catch (error) {
    return fail("identity", String(error), "restore the file, or remove it and enrol anew");
  }
  return enrolToken === undefined
    ? fail(
        "identity",
        `not enrolled: no ${file} and no FONDATION_ENROL_TOKEN`,
        "create an enrolment as an administrator and start the executor with its token",
      )
    : ok("identity", "not enrolled yet; the token will be used at the first start");
}
