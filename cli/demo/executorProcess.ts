/** An executor as a process of its own, with an environment that holds what it needs and nothing else. */
import { existsSync } from "node:fs";
import path from "node:path";
import { startChild, type Child } from "../childProcess.js";
import { CommandError } from "../errors.js";

/** What the executor's CLI logs in with, as variables of the executor. */
export type LoginVariables = Readonly<Record<string, string>>;

export type ExecutorStart = {
  root: string;
  url: string;
  /** Needed when the state folder holds no identity yet; not used otherwise. */
  enrolToken: string;
  name: string;
  stateDir: string;
  tempDir: string;
  slots: number;
  /** Repositories on this machine that jobs may name. */
  localRepositories: readonly string[];
  login: LoginVariables;
  environment: Readonly<Record<string, string>>;
  /** More variables, for example a shorter lease in a test. */
  variables?: Readonly<Record<string, string>>;
  onLog?: (line: string) => void;
};

/** Starts dist/executor.mjs. It is ready when the backend shows it online. */
export function startExecutor(start: ExecutorStart): Child {
  const bundle = path.join(start.root, "dist", "executor.mjs");
  if (!existsSync(bundle)) {
    throw new CommandError(`${bundle} is missing; build it first with: npm run build`);
  }
  return startChild({
    name: `executor ${start.name}`,
    command: process.execPath,
    args: [bundle],
    cwd: start.root,
    environment: {
      ...start.environment,
      CONVEX_URL: start.url,
      FONDATION_ENROL_TOKEN: start.enrolToken,
      WORKER_ID: start.name,
      STATE_DIR: start.stateDir,
      TEMP_DIR: start.tempDir,
      PORT: "0",
      MAX_CONCURRENT_JOBS: String(start.slots),
      LOCAL_REPOSITORIES: start.localRepositories.join(":"),
      // What this machine can do; an executor that serves others has to be told, or refuses.
      JAIL_LEVEL: "best",
      ...start.login,
      ...start.variables,
    },
    ...(start.onLog === undefined ? {} : { onStderrLine: start.onLog }),
  });
}
