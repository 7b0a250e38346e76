/**
 * `fondation start`: what one machine needs besides executors, in one process group: the embedded backend
 * with the functions of this checkout, and the dashboard. Runs until Ctrl-C.
 */
import path from "node:path";
import { startDashboard } from "../dashboard/server.js";
import { openDeployment } from "../demo/deployment.js";
import { readDataFolder, readPort } from "../demo/input.js";
import { CommandError, exitCodes } from "../errors.js";
import type { DemoContext } from "./demo.js";

export type StartOptions = { data?: string; port: string; dashboardPort: string };

/** Resolves never; rejects when it is interrupted or a part ends. Leaves no process behind. */
export async function start(options: StartOptions, context: DemoContext): Promise<never> {
  const { root, cwd, config, output, signal } = context;
  const dataDir =
    options.data === undefined
      ? path.join(root, ".fondation", "data")
      : readDataFolder(options.data, cwd);
  const [port, dashboardPort] = [readPort(options.port), readPort(options.dashboardPort)];
  const cleanUp: (() => Promise<void>)[] = [];
  try {
    const deployment = await openDeployment({
      root,
      dataDir,
      port,
      environment: config.childEnvironment,
      // Paths on this machine are the demo's; here jobs name repositories on hosts.
      variables: { ALLOW_LOCAL_REPOSITORIES: "0" },
      signal,
      onStep: output.progress,
    });
    cleanUp.push(deployment.close);
    const { backend } = deployment;
    const dashboard = await startDashboard({ root, backendUrl: backend.url, port: dashboardPort });
    cleanUp.push(dashboard.close);
    output.endProgress();
    output.say(describe({ dashboard: dashboard.url, backend: backend.url, dataDir }));
    return await endOf(signal, backend.child.exited);
  } finally {
    output.endProgress();
    for (const end of cleanUp.reverse()) await end();
  }
}

function describe(parts: { dashboard: string; backend: string; dataDir: string }): string {
  const { dashboard, backend, dataDir } = parts;
  return [
    `The dashboard: ${dashboard}`,
    `Sign in with the name and the password in ${path.join(dataDir, "demo.json")} (for your eyes only).`,
    "",
    "An executor, on this machine or on any that reaches the backend: Executors, Enrol in the dashboard, or",
    "",
    `  export CONVEX_SELF_HOSTED_URL=${backend}`,
    `  export CONVEX_SELF_HOSTED_ADMIN_KEY="$(cat ${path.join(dataDir, "backend", "adminKey")})"`,
    `  npx convex run admin:createEnrolment '{"label": "first"}'`,
    `  CONVEX_URL=${backend} FONDATION_ENROL_TOKEN=… WORKER_ID=first node dist/executor.mjs`,
    "",
    "Ctrl-C stops it; the data stays.",
  ].join("\n");
}

async function endOf(signal: AbortSignal, backendExited: Promise<unknown>): Promise<never> {
  const interrupted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener(
      "abort",
      () => {
        resolve();
      },
      { once: true },
    );
  });
  await Promise.race([interrupted, backendExited]);
  if (signal.aborted) throw new CommandError("stopped", exitCodes.interrupted);
  throw new CommandError("the embedded backend ended by itself");
}
