/** The real parts that the figures of an executor are taken from. */
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { JobId } from "../../../cli/backend.js";
import type { Child } from "../../../cli/childProcess.js";
import { readConfig } from "../../../cli/config.js";
import { joinExecutor, openDeployment, type Deployment } from "../../../cli/demo/deployment.js";
import type { ExecutorStart } from "../../../cli/demo/executorProcess.js";
import { scriptedLogin } from "../../../cli/demo/login.js";
import { type MessagesApi, startMessagesApi } from "../../../cli/demo/messagesApi.js";
import { findRoot } from "../../../cli/root.js";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { makeRepository } from "./repository.js";
import { LARGE_FILE, scriptOf } from "./scripts.js";

const JOB_MS_MAX = 90_000;

export type World = {
  folder: string;
  root: string;
  api: MessagesApi;
  deployment: Deployment;
  repository: string;
  executor: Omit<ExecutorStart, "url" | "enrolToken" | "onLog">;
  close: () => Promise<void>;
};

export async function openWorld(): Promise<World> {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "fondation-bench-")));
  const root = findRoot();
  const environment = readConfig().childEnvironment;
  const api = await startMessagesApi({ script: scriptOf });
  const deployment = await openDeployment({
    ...{ root, dataDir: path.join(folder, "data"), port: 0, environment },
  });
  const repository = makeRepository(path.join(folder, "repository"), LARGE_FILE);
  const executor = {
    ...{ root, name: "bench", slots: 2, localRepositories: [repository], environment },
    ...{ stateDir: path.join(folder, "state"), tempDir: path.join(folder, "temp") },
    login: scriptedLogin(api.url, path.join(folder, "claude")),
  };
  const close = async (): Promise<void> => {
    await deployment.close();
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, root, api, deployment, repository, executor, close };
}

export const join = ({ deployment, executor }: World): Promise<Child> =>
  joinExecutor({ deployment, ...executor });

export const submit = ({ deployment, repository }: World, prompt: string): Promise<JobId> =>
  deployment.people.submit({ repository, prompt, concurrencyKey: null });

/** The job as soon as it is as wished. */
export async function watch(
  { deployment }: World,
  jobId: JobId,
  isWished: (job: JobDetail) => boolean,
): Promise<JobDetail> {
  let unsubscribe: (() => void) | undefined;
  const limit = AbortSignal.timeout(JOB_MS_MAX);
  try {
    return await new Promise<JobDetail>((resolve, reject) => {
      limit.addEventListener("abort", () => {
        reject(new Error(`job ${jobId} did not get there in time`));
      });
      unsubscribe = deployment.people.watchJob(jobId, {
        onValue: (job) => {
          if (job.state.kind === "failed") reject(new Error(`it failed: ${job.state.reason}`));
          if (isWished(job)) resolve(job);
        },
        onError: reject,
      });
    });
  } finally {
    unsubscribe?.();
  }
}

export const succeeded = (job: JobDetail): boolean => job.state.kind === "succeeded";

/** Memory of a process in MB: now, or its highest. */
export function memoryOf(child: Child, which: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${String(child.pid)}/status`, "utf8");
  return Number(new RegExp(`${which}:\\s+(\\d+) kB`).exec(status)?.[1] ?? NaN) / 1024;
}
