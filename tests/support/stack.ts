/**
 * The real parts together: backend process, executors, scripted Messages API, real CLI. Everything a
 * stack started is ended by `close`, and at the latest when the test process exits.
 */
import path from "node:path";
import { afterAll } from "vitest";
import { ConvexHttpClient } from "convex/browser";
import { api } from "../../convex/_generated/api.js";
import type { ExecutorView, JobDetail } from "../../convex/protocol/view.js";
import type { JobId, Person, Submission } from "../../cli/backend.js";
import { killChildrenOnExit, type Child } from "../../cli/childProcess.js";
import { readConfig } from "../../cli/config.js";
import { setVariables, startBackend } from "../../cli/demo/backendProcess.js";
import { joinExecutor, openDeployment, type Deployment } from "../../cli/demo/deployment.js";
import { isTerminal } from "../../cli/follow.js";
import { openSecrets } from "../../cli/demo/secrets.js";
import { scriptedLogin } from "../../cli/demo/login.js";
import {
  startMessagesApi,
  type MessagesApi,
  type MessagesApiOptions,
} from "../../cli/demo/messagesApi.js";
import { findRoot } from "../../cli/root.js";
import { makeKeyPair } from "../../cli/signingKeys.js";
import { copyDeployedData } from "./deployedData.js";
import { killHard, noneLeft } from "./processes.js";
import { tempDir } from "./tempDir.js";

killChildrenOnExit();

const WAIT_MS_MAX = 60_000;
const STOP_MS = 8_000;

export type StackOptions = {
  script: MessagesApiOptions["script"];
  /** Repositories on this machine that jobs may name. */
  repositories: readonly string[];
  /** How many executors to start; 1 unless told. */
  executors?: number;
  slots?: number;
  /** More variables for every executor, for example a short LEASE_TIME. */
  variables?: Readonly<Record<string, string>>;
  /** More variables for the deployment. */
  deployment?: Readonly<Record<string, string>>;
};

const open: Stack[] = [];

afterAll(async () => {
  for (const stack of open.splice(0)) await stack.close();
});

/** Starts a stack from a copy of the deployed folder. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const folder = tempDir("stack");
  const dataDir = path.join(folder, "data");
  await copyDeployedData(dataDir);
  const api = await startMessagesApi({ script: options.script });
  const deployment = await openDeployment({
    root: findRoot(),
    dataDir,
    port: 0,
    environment: readConfig().childEnvironment,
    deploy: false,
    ...(options.deployment === undefined ? {} : { variables: options.deployment }),
  });
  const stack = new Stack(options, { folder, dataDir, api, deployment });
  open.push(stack);
  const names = Array.from(
    { length: options.executors ?? 1 },
    (_, i) => `executor-${String(i + 1)}`,
  );
  await Promise.all(names.map((name) => stack.addExecutor(name)));
  return stack;
}

type Parts = { folder: string; dataDir: string; api: MessagesApi; deployment: Deployment };

export class Stack {
  readonly api: MessagesApi;
  /** The first administrator, signed in. Reconnects by itself when the backend comes back. */
  readonly people: Deployment["people"];
  readonly executors = new Map<string, Child>();
  private readonly options: StackOptions;
  private readonly parts: Parts;
  private backend: Deployment["backend"];

  constructor(options: StackOptions, parts: Parts) {
    this.options = options;
    this.parts = parts;
    this.api = parts.api;
    this.people = parts.deployment.people;
    this.backend = parts.deployment.backend;
  }

  get url(): string {
    return this.backend.url;
  }

  get adminKey(): string {
    return this.backend.adminKey;
  }

  /** Starts one more executor, or one of this name again with the identity it had. */
  async addExecutor(name: string, variables: Record<string, string> = {}): Promise<Child> {
    const own = path.join(this.parts.folder, name);
    const child = await joinExecutor({
      deployment: { backend: this.backend, people: this.people },
      root: findRoot(),
      name,
      stateDir: this.stateDir(name),
      tempDir: path.join(own, "temp"),
      slots: this.options.slots ?? 1,
      localRepositories: this.options.repositories,
      login: scriptedLogin(this.api.url, path.join(own, "claude")),
      environment: readConfig().childEnvironment,
      variables: { JAIL_LEVEL: "none", ...this.options.variables, ...variables },
    });
    this.executors.set(name, child);
    return child;
  }

  /** SIGKILL to the executor's own process, as a crash would; what it started stays behind. */
  async killExecutor(name: string): Promise<void> {
    const child = this.executors.get(name);
    if (child === undefined) throw new Error(`no executor ${name}`);
    killHard(child.pid);
    await child.exited;
  }

  /** SIGKILL to the backend, and a new one on the same data folder and port. */
  async crashBackend(): Promise<void> {
    await this.killBackend();
    await this.restartBackend();
  }

  async killBackend(): Promise<void> {
    killHard(this.backend.child.pid);
    await this.backend.child.exited;
  }

  async restartBackend(): Promise<void> {
    this.backend = await startBackend({
      root: findRoot(),
      dataDir: path.join(this.parts.dataDir, "backend"),
      port: Number(new URL(this.backend.url).port),
      environment: readConfig().childEnvironment,
    });
  }

  /** The first administrator over HTTP, for what the command line has no word for. */
  async administrator(): Promise<ConvexHttpClient> {
    const client = new ConvexHttpClient(this.url, { logger: false });
    client.setAuth((await this.session()).accessToken);
    return client;
  }

  /** A new session, of the first administrator unless told, as a browser keeps one. */
  async session(
    person?: Person,
  ): Promise<{ accessToken: string; refreshToken: string; expiresAt: number }> {
    const client = new ConvexHttpClient(this.url, { logger: false });
    const reply = await client.action(api.auth.signIn, person ?? (await this.credentials()));
    if (!reply.ok) throw new Error(`signing in failed: ${reply.code}`);
    const { accessToken, refreshToken, expiresAt } = reply;
    return { accessToken, refreshToken, expiresAt };
  }

  /** What the first administrator signs in with. */
  async credentials(): Promise<Person> {
    const { username, password } = await openSecrets(this.parts.dataDir);
    return { username, password };
  }

  /** What the backend keeps: its log, and uploaded files in `files`. */
  get backendFolder(): string {
    return path.join(this.parts.dataDir, "backend");
  }

  /** A new key for signing executors' tokens; with `keep`, those of the key before stay good. */
  async rotateExecutorKeys(keep: boolean): Promise<void> {
    const { executorKeys } = await openSecrets(this.parts.dataDir);
    const { privateJwk, jwks } = await makeKeyPair(keep ? executorKeys.jwks : undefined);
    await setVariables(this.backend, {
      AUTH_EXECUTOR_PRIVATE_JWK: privateJwk,
      AUTH_EXECUTOR_JWKS: jwks,
    });
  }

  /** Where an executor keeps its identity. */
  stateDir(name: string): string {
    return path.join(this.parts.folder, name, "state");
  }

  /** All executors as people see them now, in order of their names. */
  async executorViews(): Promise<ExecutorView[]> {
    const executors = await this.people.listExecutors();
    return executors.sort((a, b) => a.name.localeCompare(b.name));
  }

  submit(submission: Submission): Promise<JobId> {
    return this.people.submit(submission);
  }

  /** Resolves with the job as soon as it is as wished; fails after a minute with how it was last. */
  async job(jobId: JobId, isWished: (job: JobDetail) => boolean): Promise<JobDetail> {
    let last: JobDetail | undefined;
    let unsubscribe: (() => void) | undefined;
    const limit = AbortSignal.timeout(WAIT_MS_MAX);
    try {
      return await new Promise<JobDetail>((resolve, reject) => {
        limit.addEventListener("abort", () => {
          reject(new Error(`the job never got there; last seen: ${JSON.stringify(last)}`));
        });
        unsubscribe = this.people.watchJob(jobId, {
          onValue: (job) => {
            last = job;
            if (isWished(job)) resolve(job);
          },
          onError: reject,
        });
      });
    } finally {
      unsubscribe?.();
    }
  }

  /** The job once it is succeeded, failed or canceled. */
  ended(jobId: JobId): Promise<JobDetail> {
    return this.job(jobId, (job) => isTerminal(job.state));
  }

  /** The job once its CLI has been started. */
  running(jobId: JobId): Promise<JobDetail> {
    return this.job(jobId, (job) => job.latest?.spawnedAt !== undefined);
  }

  /** Ends everything; fails when a process of the stack is still there afterwards. */
  async close(): Promise<void> {
    const index = open.indexOf(this);
    if (index >= 0) open.splice(index, 1);
    const children = [...this.executors.values()];
    await Promise.all(children.map((child) => child.stop(STOP_MS)));
    await this.people.close();
    await this.backend.child.stop(STOP_MS);
    await this.api.close();
    await noneLeft([...children.map((child) => child.pid), this.backend.child.pid]);
  }
}
