/**
 * `fondation demo`: a whole installation on this machine and one job through it, by the same public
 * functions everybody uses. This file is the order of things; each thing is in cli/demo/.
 */
import path from "node:path";
import type { JailLevel } from "../../convex/protocol/executor.js";
import type { Backend } from "../backend.js";
import type { Child } from "../childProcess.js";
import { startDashboard } from "../dashboard/server.js";
import type { Config } from "../config.js";
import {
  EXECUTOR_STOP_MS,
  joinExecutor,
  openDeployment,
  type Deployment,
} from "../demo/deployment.js";
import type { LoginVariables } from "../demo/executorProcess.js";
import { followJob } from "../follow.js";
import {
  readDataFolder,
  readPort,
  readPrompt,
  readRef,
  readRepository,
  type RepositoryInput,
} from "../demo/input.js";
import { findLiveLogin, scriptedLogin } from "../demo/login.js";
import { startMessagesApi } from "../demo/messagesApi.js";
import { describeReport, makeReport } from "../demo/report.js";
import { sampleScripts, submitSamples } from "../demo/samples.js";
import { openSecrets } from "../demo/secrets.js";
import { describeJobs, stayUp } from "../demo/stay.js";
import { CommandError, exitCodes } from "../errors.js";
import type { Output } from "../output.js";
import { sweepProcesses } from "../processTree.js";

export type DemoOptions = {
  repo?: string;
  ref?: string;
  prompt: string;
  once: boolean;
  json: boolean;
  data?: string;
  port: string;
  dashboardPort: string;
  live: boolean;
};

export type DemoContext = {
  root: string;
  cwd: string;
  config: Config;
  /** Read for `--prompt -` only. */
  stdin: AsyncIterable<string | Buffer>;
  output: Output;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
};

export const DEMO_PROMPT =
  "Look around this repository, write a short note about what you found to FONDATION_DEMO.md, and check it.";
const SLOTS = 2;
const EARLIER_JOBS_SHOWN = 10;
/** From so many on the samples are there already. */
const FEW_JOBS = 5;

/** Runs the demo to its end and returns the exit code. Whatever happens, it leaves no process behind. */
export async function demo(options: DemoOptions, context: DemoContext): Promise<number> {
  const startedAt = performance.now();
  const request = await readRequest(options, context);
  const cleanUp: (() => Promise<void>)[] = [];
  try {
    const login = await chooseLogin(request, context, cleanUp);
    const deployment = await open(request, context, cleanUp);
    const executor = await join({ request, context, deployment, login }, cleanUp);
    const lost = loss([deployment.backend.child, executor], context.signal);
    const run = async (): Promise<number> => {
      const code = await runOneJob({ request, context, deployment, startedAt });
      if (options.once) return code;
      await showDashboard({ request, context, deployment }, cleanUp);
      await stayUp({ ...context, deployment, repository: request.repository.text });
      return code;
    };
    return await Promise.race([run(), lost]);
  } finally {
    context.output.endProgress();
    for (const end of cleanUp.reverse()) await end();
  }
}

type Request = {
  repository: RepositoryInput;
  ref: string | undefined;
  prompt: string;
  dataDir: string;
  port: number;
  dashboardPort: number;
  json: boolean;
  live: boolean;
};

// Everything typed is judged here, before anything is started or written.
async function readRequest(
  options: DemoOptions,
  { root, cwd, stdin }: DemoContext,
): Promise<Request> {
  return {
    prompt: await readPrompt(options.prompt, stdin),
    ref: options.ref === undefined ? undefined : readRef(options.ref),
    port: readPort(options.port),
    dashboardPort: readPort(options.dashboardPort),
    dataDir:
      options.data === undefined
        ? path.join(root, ".fondation", "demo")
        : readDataFolder(options.data, cwd),
    repository: readRepository(options.repo ?? root, cwd),
    json: options.json,
    live: options.live,
  };
}

type CleanUp = (() => Promise<void>)[];

async function chooseLogin(
  request: Request,
  { config, output }: DemoContext,
  cleanUp: CleanUp,
): Promise<LoginVariables> {
  if (request.live) {
    const { source, variables } = await findLiveLogin(config.login);
    output.say(
      `Claude is the real one, with the login of ${source}: this job costs money or quota.`,
    );
    return variables;
  }
  const api = await startMessagesApi({ script: sampleScripts() });
  cleanUp.push(api.close);
  output.say(
    "The Claude Code CLI is real and works on a real clone, but the model's words are a fixed script served on",
  );
  output.say("this machine: no account, no cost. Use --live for the real model.");
  return scriptedLogin(api.url, path.join(request.dataDir, "executor", "claude"));
}

async function open(
  { dataDir, port, repository }: Request,
  { root, config, output, signal }: DemoContext,
  cleanUp: CleanUp,
): Promise<Deployment> {
  const hosts = repository.kind === "remote" ? { REPOSITORY_HOSTS: hostsFor(repository) } : {};
  const deployment = await openDeployment({
    root,
    dataDir,
    port,
    environment: config.childEnvironment,
    variables: hosts,
    signal,
    onStep: output.progress,
  });
  cleanUp.push(deployment.close);
  output.say(
    `backend on ${deployment.backend.url}, data in ${dataDir}, functions pushed in ${(deployment.deployMs / 1000).toFixed(1)} s`,
  );
  return deployment;
}

type Joining = {
  request: Request;
  context: DemoContext;
  deployment: Deployment;
  login: LoginVariables;
};

async function join(
  { request, context, deployment, login }: Joining,
  cleanUp: CleanUp,
): Promise<Child> {
  const { root, config, output, signal } = context;
  const { dataDir, repository } = request;
  const tempDir = path.join(dataDir, "executor", "temp");
  // Last of the executor's clean-up: what it started, should it have died before it could end that.
  cleanUp.push(() => {
    sweepProcesses(`TMPDIR=${tempDir}/`);
    return Promise.resolve();
  });
  output.progress("starting the executor");
  const executor = await joinExecutor({
    deployment,
    root,
    name: "demo",
    stateDir: path.join(dataDir, "executor", "state"),
    tempDir,
    slots: SLOTS,
    localRepositories: [
      ...new Set([root, ...(repository.kind === "local" ? [repository.text] : [])]),
    ],
    login,
    environment: config.childEnvironment,
    ...(repository.kind === "remote" ? { variables: { GIT_HOSTS: hostsFor(repository) } } : {}),
    signal,
  });
  cleanUp.push(() => executor.stop(EXECUTOR_STOP_MS));
  const [view] = await deployment.people.listExecutors();
  const slots = `${String(SLOTS)} slots`;
  output.say(
    `executor online (pid ${String(executor.pid)}, ${slots}, ${describeJail(view?.jail)})`,
  );
  return executor;
}

/** What the machine had of the levels of docs/operations.md. */
function describeJail(level: JailLevel | undefined): string {
  return level === "jail"
    ? "jailed in bubblewrap"
    : `JAIL_LEVEL ${level ?? "unknown"}: install bubblewrap for a jail`;
}

type Showing = { request: Request; context: DemoContext; deployment: Deployment };

/** Serves the dashboard, fills it with sample jobs the first time, and says how to sign in. */
async function showDashboard(
  { request, context, deployment }: Showing,
  cleanUp: CleanUp,
): Promise<void> {
  const { root, output } = context;
  const { backend, people } = deployment;
  const { dashboardPort: port, dataDir, repository, live } = request;
  const dashboard = await startDashboard({ root, backendUrl: backend.url, port });
  cleanUp.push(dashboard.close);
  // A folder that has hardly seen a demo before.
  if (!live && (await people.listJobs(FEW_JOBS)).length < FEW_JOBS) {
    const count = await submitSamples(people, repository.text);
    output.say(`\n${String(count)} more jobs of every kind are in the queue.`);
  }
  const { username, password } = await openSecrets(dataDir);
  output.say(
    [
      "",
      `The dashboard: ${dashboard.url}`,
      `Sign in as ${username} with the password ${password}`,
      "(made for this data folder, good on this machine only)",
    ].join("\n"),
  );
}

function hostsFor({ host }: { host: string }): string {
  return [...new Set(["github.com", host])].join(",");
}

/** Rejects as soon as the demo cannot go on: a part ended by itself, or Ctrl-C. */
function loss(parts: readonly Child[], signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const interrupted = (): void => {
      reject(new CommandError("stopped", exitCodes.interrupted));
    };
    if (signal.aborted) interrupted();
    signal.addEventListener("abort", interrupted, { once: true });
    for (const part of parts) {
      void part.exited.then(() => {
        reject(new CommandError(`${part.name} ended by itself: ${part.lastWords()}`));
      });
    }
  });
}

type JobRun = {
  request: Request;
  context: DemoContext;
  deployment: Deployment;
  startedAt: number;
};

async function runOneJob({ request, context, deployment, startedAt }: JobRun): Promise<number> {
  const { output } = context;
  const { people, deployMs } = deployment;
  await showEarlierJobs(people, output);
  const { repository, ref, prompt } = request;
  const jobId = await people.submit({
    repository: repository.text,
    ...(ref === undefined ? {} : { ref }),
    prompt,
  });
  output.say(`job ${jobId}: ${repository.text}${ref === undefined ? "" : ` at ${ref}`}`);
  const job = await followJob({ backend: people, jobId, output });
  const ms = { deploy: deployMs, total: Math.round(performance.now() - startedAt) };
  const report = makeReport({ job, attempts: await people.listAttempts(jobId), ms });
  output.data(
    request.json ? JSON.stringify(report) : describeReport(report, { job, isLive: request.live }),
  );
  switch (job.state.kind) {
    case "succeeded":
      return exitCodes.succeeded;
    case "canceled":
      return exitCodes.canceled;
    case "failed":
    case "pending":
    case "waiting":
    case "assigned":
    case "running":
    case "backoff":
      return exitCodes.failed;
  }
}

async function showEarlierJobs(people: Backend, output: Output): Promise<void> {
  const earlier = await people.listJobs(EARLIER_JOBS_SHOWN);
  if (earlier.length === 0) return;
  output.say("jobs of earlier runs in this data folder, newest first:");
  output.say(describeJobs(earlier));
}
