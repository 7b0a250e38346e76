/** The embedded backend as a process of its own: started, told its variables, given its functions. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { startChild, type Child } from "../childProcess.js";
import { CommandError } from "../errors.js";

/** A big data folder is replayed before the backend listens. */
const START_MS_MAX = 60_000;
const DEPLOY_MS_MAX = 120_000;
const ANSWER_MS_MAX = 10_000;

export type BackendProcess = {
  child: Child;
  url: string;
  siteUrl: string;
  adminKey: string;
  adminKeyFile: string;
};

export type BackendStart = {
  root: string;
  dataDir: string;
  /** 0 takes a free one. */
  port: number;
  environment: Readonly<Record<string, string>>;
};

/** Starts dist/embedded.mjs and waits until it listens; passes on its own sentence when it refuses. */
export async function startBackend(start: BackendStart): Promise<BackendProcess> {
  const bundle = path.join(start.root, "dist", "embedded.mjs");
  if (!existsSync(bundle)) {
    throw new CommandError(`${bundle} is missing; build it first with: npm run build`);
  }
  const child = startChild({
    name: "the embedded backend",
    command: process.execPath,
    args: [bundle, "--data", start.dataDir, "--port", String(start.port)],
    cwd: start.root,
    environment: start.environment,
  });
  try {
    const { url, siteUrl, adminKeyFile } = parseReady(await child.firstLine(START_MS_MAX));
    const adminKey = (await readFile(adminKeyFile, "utf8")).trim();
    return { child, url, siteUrl, adminKey, adminKeyFile };
  } catch (error) {
    await child.stop(0);
    throw error;
  }
}

type Ready = { url: string; siteUrl: string; adminKeyFile: string };

function parseReady(line: string): Ready {
  const ready: unknown = JSON.parse(line);
  if (typeof ready !== "object" || ready === null) throw notReady(line);
  const read = (name: keyof Ready): string => {
    const value: unknown = Object.entries(ready).find(([key]) => key === name)?.[1];
    if (typeof value !== "string") throw notReady(line);
    return value;
  };
  return { url: read("url"), siteUrl: read("siteUrl"), adminKeyFile: read("adminKeyFile") };
}

function notReady(line: string): Error {
  return new Error(`the embedded backend said ${JSON.stringify(line)} instead of where it listens`);
}

/** Sets deployment variables through the backend's admin interface; others stay as they are. */
export async function setVariables(
  backend: Pick<BackendProcess, "url" | "adminKey">,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  const response = await fetch(`${backend.url}/api/update_environment_variables`, {
    method: "POST",
    headers: {
      authorization: `Convex ${backend.adminKey}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({
      changes: Object.entries(variables).map(([name, value]) => ({ name, value })),
    }),
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  });
  if (!response.ok) {
    throw new CommandError(
      `the backend refused its variables (HTTP ${String(response.status)}): ${await response.text()}`,
    );
  }
}

export type Deploy = {
  root: string;
  backend: Pick<BackendProcess, "url" | "adminKey">;
  environment: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
};

/** Pushes convex/ with the official CLI, unchanged. Returns the milliseconds it took. */
export async function deployFunctions({
  root,
  backend,
  environment,
  signal,
}: Deploy): Promise<number> {
  const startedAt = performance.now();
  const child = startChild({
    name: "convex deploy",
    command: process.execPath,
    args: [
      path.join(root, "node_modules", "convex", "bin", "main.js"),
      "deploy",
      ...["--typecheck", "disable", "--codegen", "disable"],
    ],
    cwd: root,
    environment: {
      ...environment,
      // No questions, and no reports to anybody.
      CI: "1",
      CONVEX_SELF_HOSTED_URL: backend.url,
      CONVEX_SELF_HOSTED_ADMIN_KEY: backend.adminKey,
    },
  });
  const stop = (): void => void child.stop(0);
  const limit = AbortSignal.any([AbortSignal.timeout(DEPLOY_MS_MAX), ...(signal ? [signal] : [])]);
  limit.addEventListener("abort", stop, { once: true });
  const { code } = await child.exited;
  limit.removeEventListener("abort", stop);
  signal?.throwIfAborted();
  if (code !== 0) throw new CommandError(`convex deploy did not succeed: ${child.lastWords()}`);
  return Math.round(performance.now() - startedAt);
}
