/** A whole deployment in a data folder: backend process, functions, first administrator. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { setUpAdministrator, signIn, type Backend } from "../backend.js";
import type { Child } from "../childProcess.js";
import { CommandError } from "../errors.js";
import {
  deployFunctions,
  setVariables,
  startBackend,
  type BackendProcess,
} from "./backendProcess.js";
import { startExecutor, type ExecutorStart } from "./executorProcess.js";
import { deploymentVariables, openSecrets } from "./secrets.js";

/** After SIGTERM, before SIGKILL. */
const BACKEND_STOP_MS = 5_000;
export const EXECUTOR_STOP_MS = 8_000;
/** From the start of an executor until the backend shows it online. */
const ONLINE_MS_MAX = 30_000;

export type DeploymentOptions = {
  root: string;
  /** Made when missing. */
  dataDir: string;
  /** 0 takes a free one. */
  port: number;
  environment: Readonly<Record<string, string>>;
  /** Deployment variables besides those every deployment has. */
  variables?: Readonly<Record<string, string>>;
  /** False takes the functions that the data folder already has. */
  deploy?: boolean;
  signal?: AbortSignal;
  /** Told before each step. */
  onStep?: (step: string) => void;
};

export type Deployment = {
  backend: BackendProcess;
  /** The first administrator, signed in. */
  people: Backend;
  /** 0 when nothing was deployed. */
  deployMs: number;
  close: () => Promise<void>;
};

/** Starts everything but executors; leaves nothing running when a step fails. */
export async function openDeployment(options: DeploymentOptions): Promise<Deployment> {
  const { root, dataDir, port, environment, signal, onStep } = options;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  onStep?.("starting the backend");
  const backendDir = path.join(dataDir, "backend");
  const backend = await startBackend({ root, dataDir: backendDir, port, environment });
  // Stops the push when we are interrupted or have failed already.
  const cut = new AbortController();
  const pass = (): void => {
    cut.abort(signal?.reason);
  };
  signal?.addEventListener("abort", pass, { once: true });
  try {
    signal?.throwIfAborted();
    // Only now: whoever starts the backend holds the folder's lock.
    const secrets = await openSecrets(dataDir);
    const { setupToken, username, password } = secrets;
    await setVariables(backend, { ...deploymentVariables(secrets), ...options.variables });
    onStep?.("pushing convex/ with the official CLI");
    const deployMs =
      options.deploy === false
        ? 0
        : await Promise.race([
            deployFunctions({ root, backend, environment, signal: cut.signal }),
            endOf(backend.child),
          ]);
    onStep?.("signing in");
    await setUpAdministrator(backend.url, { setupToken, username, password });
    const people = await signIn(backend.url, { username, password });
    const close = async (): Promise<void> => {
      await people.close();
      await backend.child.stop(BACKEND_STOP_MS);
    };
    return { backend, people, deployMs, close };
  } catch (error) {
    cut.abort(error);
    await backend.child.stop(BACKEND_STOP_MS);
    throw error;
  } finally {
    signal?.removeEventListener("abort", pass);
  }
}

/** Rejects when the child ends. */
async function endOf(child: Child): Promise<never> {
  await child.exited;
  throw new CommandError(`${child.name} ended by itself: ${child.lastWords()}`);
}

export type ExecutorOptions = Omit<ExecutorStart, "url" | "enrolToken"> & {
  deployment: Pick<Deployment, "backend" | "people">;
  signal?: AbortSignal;
};

/** Enrols and starts an executor and waits until the backend shows it online. */
export async function joinExecutor({
  deployment,
  signal,
  ...start
}: ExecutorOptions): Promise<Child> {
  const enrolToken = await deployment.people.createEnrolment(start.name);
  signal?.throwIfAborted();
  const child = startExecutor({ ...start, url: deployment.backend.url, enrolToken });
  try {
    await isOnline({ child, name: start.name, people: deployment.people, signal });
    return child;
  } catch (error) {
    await child.stop(EXECUTOR_STOP_MS);
    throw error;
  }
}

type Waiting = { child: Child; name: string; people: Backend; signal: AbortSignal | undefined };

async function isOnline({ child, name, people, signal }: Waiting): Promise<void> {
  const over = AbortSignal.any([AbortSignal.timeout(ONLINE_MS_MAX), ...(signal ? [signal] : [])]);
  let unsubscribe: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      over.addEventListener("abort", () => {
        reject(
          signal?.aborted === true
            ? asError(signal.reason)
            : new CommandError(`${child.name} did not come online: ${child.lastWords()}`),
        );
      });
      void child.exited.then(() => {
        reject(new CommandError(`${child.name} ended: ${child.lastWords()}`));
      });
      unsubscribe = people.watchExecutors({
        onValue: (executors) => {
          if (executors.some((e) => e.name === name && e.presence === "online")) resolve();
        },
        onError: reject,
      });
    });
  } finally {
    unsubscribe?.();
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
