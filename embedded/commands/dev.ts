/** `dev`: the server and the official `convex dev` against it, in one terminal. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { RunningServer } from "../server.js";
import { type Command, CommandError, type CommandContext, EXIT, readArguments } from "./options.js";
import { readServerOptions, readyLine, serve, SERVER_OPTIONS } from "./start.js";

const CLI = "node_modules/convex/bin/main.js";
const CHILD_END_MS_MAX = 5_000;
const DATA_DEFAULT = ".convex/embedded";

/** Pushes the project of the current folder, again on every change, until a signal ends it. */
export const dev: Command = async (context) => {
  const { values } = readArguments(context.argv, SERVER_OPTIONS);
  const project = process.cwd();
  const cli = findCli(project);
  const options = readServerOptions(context, { ...values, data: values.data ?? DATA_DEFAULT });
  const server = await serve(options);
  context.say(readyLine(server));
  const child = spawn(process.execPath, [cli, "dev"], {
    cwd: project,
    stdio: ["ignore", "inherit", "inherit"],
    env: environmentFor(server),
  });
  endTogether(context, server, child);
};

/** The project's own `convex`, looked for upwards as Node does. Throws CommandError. */
function findCli(project: string): string {
  for (let folder = resolve(project); ; folder = dirname(folder)) {
    const cli = join(folder, CLI);
    if (existsSync(cli)) return cli;
    if (folder === dirname(folder)) break;
  }
  throw new CommandError(
    `The package "convex" is not installed for ${project}: run npm install convex there, or start from the project's folder.`,
  );
}

function environmentFor({ url, adminKey }: RunningServer): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    // No questions, and no reports to anybody.
    CI: "1",
    CONVEX_SELF_HOSTED_URL: url,
    CONVEX_SELF_HOSTED_ADMIN_KEY: adminKey,
  };
  // Would send the CLI to another deployment.
  delete environment["CONVEX_DEPLOYMENT"];
  delete environment["CONVEX_DEPLOY_KEY"];
  return environment;
}

/** Whichever ends first takes the other with it: the server by a signal, the CLI by its exit. */
function endTogether({ log }: CommandContext, server: RunningServer, child: ChildProcess): void {
  let isEnding = false;
  const end = (code: number, why: Record<string, unknown>) => {
    if (isEnding) return;
    isEnding = true;
    log("stopping", why);
    Promise.all([endChild(child), server.close()]).then(
      () => {
        log("stopped");
        process.exit(code);
      },
      (error: unknown) => {
        log("fault", { error });
        process.exit(EXIT.software);
      },
    );
  };
  const onSignal = (signal: NodeJS.Signals) => {
    end(0, { signal });
  };
  process.once("SIGTERM", onSignal);
  process.once("SIGINT", onSignal);
  child.once("error", (error) => {
    end(EXIT.software, { error });
  });
  child.once("exit", (code, signal) => {
    end(code ?? EXIT.software, { convexDev: { code, signal } });
  });
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  await new Promise<void>((done) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), CHILD_END_MS_MAX);
    child.once("exit", () => {
      clearTimeout(timer);
      done();
    });
    child.kill("SIGTERM");
  });
}
