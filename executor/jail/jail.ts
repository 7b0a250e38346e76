import { chmod, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { JailLevel } from "../../convex/protocol/executor.js";
import type { CliCommand } from "../claude/command.js";
import type { Clock } from "../clock.js";
import type { Config } from "../config.js";
import { MARKER_VARIABLE } from "../processTree.js";
import { type Command, runCommand } from "../runCommand.js";
import type { Workspace } from "../workspace.js";
import { BRIDGE_COMMAND, type BridgeCall } from "./bridge.js";
import {
  bubblewrapArguments,
  findSystem,
  gitArguments,
  HOST_NAME,
  INSIDE,
  type SystemFolder,
} from "./bubblewrap.js";
import {
  afterUs,
  as,
  bounded,
  findPrograms,
  isExecutable,
  isReadable,
  type Programs,
} from "./programs.js";
import { createUsers, type User, type Users } from "./users.js";

/** How well a run is kept apart from the machine; docs/operations.md says what each does not do. */
export const JAIL_LEVELS = ["jail", "uid", "none"] as const satisfies JailLevel[];

export interface Jail {
  readonly level: JailLevel;
  /** Whether a socket file is the only way to the gateway. */
  readonly hasOwnNetwork: boolean;
  /** Makes a place for one run, before its command is known. Call when the clone is complete. */
  enter(workspace: Workspace): Promise<Cell>;
  /** A call of git over a run's clone, kept from the rest of the machine where the level can do so. */
  aroundGit(call: GitCall, folders: Pick<Workspace, "repo" | "gitFolder">): GitCall;
  /** Ends what runs of executors that are gone left behind. */
  sweep(): Promise<void>;
}

type GitCall = Pick<Command, "file" | "args">;

/** The place of one run. */
export interface Cell {
  /** Where the CLI finds the gateway, given the socket file or URL it listens at. */
  gatewayUrl(url: string | undefined): string;
  /** The same call, kept in bounds. */
  wrap(command: CliCommand, gatewaySocket: string | undefined): Promise<CliCommand>;
  /** Ends every process of the run that is known by its user; false when some are left. */
  leave(): Promise<boolean>;
}

/** The machine cannot provide the level; the message says how it could. */
export class JailError extends Error {
  override name = "JailError";
}

const GATEWAY_PORT = 8787;
const PROBE_MS_MAX = 10_000;
const USERS_FOLDER = "/run/fondation-users";

export type JailOptions = {
  searchPath: string;
  clock: Clock;
  uid: number | undefined;
  /** More folders that jailed runs may read. */
  readable: readonly string[];
  /** The executor's own bundle, which holds the bridge; the one that runs unless told. */
  bundle?: string;
};

export function jailOptions(
  config: Pick<Config, "searchPath" | "jail">,
  clock: Clock,
): JailOptions {
  const { searchPath, jail } = config;
  return { searchPath, clock, uid: process.getuid?.(), readable: jail.readable };
}

/** Provides the level, or "best", the first that this machine has. Throws JailError otherwise. */
export async function provideJail(wanted: JailLevel | "best", options: JailOptions): Promise<Jail> {
  const programs = await findPrograms(options.searchPath);
  const make = { programs, options, users: createUsers(USERS_FOLDER, options.clock) };
  const levels: readonly JailLevel[] = wanted === "best" ? JAIL_LEVELS : [wanted];
  let trouble = "";
  for (const level of levels) {
    try {
      switch (level) {
        case "jail":
          return await provideBubblewrap(make);
        case "uid":
          return provideUid(make);
        case "none":
          return provideNone(make);
      }
    } catch (error) {
      if (!(error instanceof JailError)) throw error;
      trouble = error.message;
    }
  }
  throw new JailError(trouble);
}

type Make = { programs: Programs; options: JailOptions; users: Users };

function provideNone({ programs }: Make): Jail {
  return {
    level: "none",
    hasOwnNetwork: false,
    enter: () =>
      Promise.resolve({
        gatewayUrl: (url) => url ?? "",
        wrap: (command) => prefixed(afterUs(programs), command),
        leave: () => Promise.resolve(true),
      }),
    aroundGit: (call) => call,
    sweep: () => Promise.resolve(),
  };
}

const OTHER_LEVELS =
  "Or choose another level with JAIL_LEVEL: uid (a user of its own for each run; the executor must be root) or none (no protection).";

function provideUid({ programs, options, users }: Make): Jail {
  const { chown, prlimit, setpriv } = programs;
  if (options.uid !== 0 || chown === undefined || prlimit === undefined || setpriv === undefined) {
    throw new JailError(
      "JAIL_LEVEL=uid needs an executor that runs as root, and the programs chown, prlimit and setpriv (Debian: coreutils, util-linux). Or set JAIL_LEVEL to jail or none.",
    );
  }
  return {
    level: "uid",
    hasOwnNetwork: false,
    enter: async (workspace) => {
      const user = await users.take();
      // The run's user has to get to its folders, which lie in two that are not its own.
      await chmod(path.dirname(workspace.root), 0o711);
      await chmod(workspace.root, 0o711);
      await give(workspace, user, { chown, clock: options.clock });
      return {
        gatewayUrl: (url) => url ?? "",
        wrap: (command) =>
          prefixed([...afterUs(programs), ...as(setpriv, user.uid), ...bounded(prlimit)], command),
        leave: () => leaveAs(user),
      };
    },
    aroundGit: (call) => call,
    sweep: () => users.sweep(),
  };
}

async function provideBubblewrap({ programs, options, users }: Make): Promise<Jail> {
  const { bwrap, chown, prlimit, setpriv } = programs;
  const isRoot = options.uid === 0;
  if (bwrap === undefined) {
    throw new JailError(
      `JAIL_LEVEL=jail needs bubblewrap, and there is no bwrap here: install it (Debian, Ubuntu: apt install bubblewrap). ${OTHER_LEVELS}`,
    );
  }
  if (prlimit === undefined || (isRoot && !(chown && setpriv))) {
    throw new JailError(
      `JAIL_LEVEL=jail needs prlimit, setpriv and chown (Debian: util-linux, coreutils). ${OTHER_LEVELS}`,
    );
  }
  for (const folder of options.readable) {
    if (!(await isReadable(folder))) {
      throw new JailError(`JAIL_READABLE names "${folder}", which cannot be read here.`);
    }
  }
  const system = await findSystem();
  await probe(bwrap, { isRoot, clock: options.clock });
  const outside = [...afterUs(programs), bwrap];
  return {
    level: "jail",
    hasOwnNetwork: true,
    enter: async (workspace) => {
      const user = isRoot ? await users.take() : undefined;
      for (const name of ["hooks", "objects/info"]) {
        await mkdir(path.join(workspace.repo, ".git", name), { recursive: true });
      }
      if (user !== undefined && chown !== undefined) {
        await give(workspace, user, { chown, clock: options.clock });
      }
      const become = user === undefined || setpriv === undefined ? [] : as(setpriv, user.uid);
      const inside = [...become, ...bounded(prlimit)];
      const uid = user?.uid ?? options.uid ?? 0;
      return {
        gatewayUrl: () => `http://127.0.0.1:${GATEWAY_PORT}`,
        wrap: (command, socket) =>
          wrapInBubblewrap(command, {
            workspace,
            socket,
            uid,
            isRoot,
            system,
            options,
            outside,
            inside,
          }),
        leave: () => (user === undefined ? Promise.resolve(true) : leaveAs(user)),
      };
    },
    aroundGit: ({ file, args }, { repo, gitFolder }) => {
      const around = gitArguments({ ...{ system, isRoot, repo, gitFolder }, ...options });
      return { file: bwrap, args: [...around, file, ...args] };
    },
    sweep: () => users.sweep(),
  };
}

/** The smallest thing that needs all the rights a jail needs. */
async function probe(
  bwrap: string,
  { isRoot, clock }: { isRoot: boolean; clock: Clock },
): Promise<void> {
  const args = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--die-with-parent"];
  const result = await runCommand(
    {
      file: bwrap,
      args: [...args, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "/bin/true"],
      cwd: "/",
      env: {},
      timeoutMs: PROBE_MS_MAX,
      stdoutMax: 1_000,
    },
    { clock },
  );
  if (result.ending === "exited" && result.code === 0) return;
  const how = isRoot
    ? "In a container it needs more than the usual rights: --cap-add SYS_ADMIN with --security-opt seccomp=unconfined, apparmor=unconfined and systempaths=unconfined."
    : "The kernel must let users make namespaces: sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu 24.04 an AppArmor profile for bwrap or kernel.apparmor_restrict_unprivileged_userns=0.";
  throw new JailError(
    `JAIL_LEVEL=jail is not to be had: bwrap says "${result.stderr.trim()}". ${how} ${OTHER_LEVELS}`,
  );
}

type WrapInput = {
  workspace: Workspace;
  socket: string | undefined;
  uid: number;
  isRoot: boolean;
  system: readonly SystemFolder[];
  options: JailOptions;
  outside: readonly string[];
  inside: readonly string[];
};

async function wrapInBubblewrap(command: CliCommand, input: WrapInput): Promise<CliCommand> {
  const { workspace, socket, options } = input;
  // A program that is missing must show as such, so the call stays bare.
  if (!(await isExecutable(command.file))) return command;
  const { bundle = fileURLToPath(import.meta.url) } = options;
  // What is there anyway may need its neighbours.
  const claude = command.file.startsWith("/usr/") ? command.file : `${INSIDE}/claude`;
  const own = path.join(workspace.root, "jail");
  const inSocket = `${INSIDE}/gateway.sock`;
  const call: BridgeCall = {
    ...{ file: claude, args: [...command.args], env: { ...command.env }, cwd: command.cwd },
    ...(socket === undefined ? {} : { gateway: { port: GATEWAY_PORT, socket: inSocket } }),
  };
  const files = await writeOwnFiles(own, { call, uid: input.uid, home: workspace.home });
  const args = bubblewrapArguments({
    ...{ system: input.system, isRoot: input.isRoot, folders: workspace },
    readable: [
      ...options.readable.map((folder) => [folder, folder] as const),
      ...(claude === command.file ? [] : [[command.file, claude] as const]),
      [process.execPath, `${INSIDE}/node`],
      [bundle, `${INSIDE}/executor.mjs`],
      ...(socket === undefined ? [] : [[socket, inSocket] as const]),
      ...files,
    ],
  });
  const program = [...input.inside, `${INSIDE}/node`, `${INSIDE}/executor.mjs`, BRIDGE_COMMAND];
  const [file, ...rest] = [...input.outside, ...args, ...program, `${INSIDE}/call.json`];
  const marker = command.env[MARKER_VARIABLE];
  // An empty environment but for the marker: the first process of the jail shows it to all others.
  const env = marker === undefined ? {} : { [MARKER_VARIABLE]: marker };
  return { ...command, file, args: rest, env };
}

/** What a jailed run reads of ours: its call, and who it is. */
async function writeOwnFiles(
  folder: string,
  { call, uid, home }: { call: BridgeCall; uid: number; home: string },
): Promise<(readonly [string, string])[]> {
  const files = [
    ["call.json", JSON.stringify(call), `${INSIDE}/call.json`],
    ["passwd", `job:x:${uid}:${uid}::${home}:/bin/sh\n`, "/etc/passwd"],
    ["group", `job:x:${uid}:\n`, "/etc/group"],
    ["hosts", `127.0.0.1 localhost ${HOST_NAME}\n::1 localhost\n`, "/etc/hosts"],
  ] as const;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return Promise.all(
    files.map(async ([name, content, at]) => {
      const file = path.join(folder, name);
      // Nobody else gets to this folder; the run's user reads the file where it is bound.
      await writeFile(file, content, { mode: 0o644 });
      return [file, at] as const;
    }),
  );
}

/** Makes the folders of the run its user's own, and closes them to all others. */
async function give(
  { repo, home, config, tmp }: Workspace,
  { uid }: User,
  { chown, clock }: { chown: string; clock: Clock },
): Promise<void> {
  const result = await runCommand(
    {
      file: chown,
      args: ["-R", "-h", `${uid}:${uid}`, "--", repo, home, config, tmp],
      cwd: "/",
      env: {},
      timeoutMs: PROBE_MS_MAX * 30,
      stdoutMax: 1_000,
    },
    { clock },
  );
  if (result.ending !== "exited" || result.code !== 0) {
    throw new Error(`the workspace could not be handed over: ${result.stderr.trim()}`);
  }
  await chmod(repo, 0o700);
}

async function leaveAs(user: User): Promise<boolean> {
  const isClean = await user.endAll();
  await user.release();
  return isClean;
}

/** The same call behind a prefix; one of a program that is missing stays bare, as above. */
async function prefixed(prefix: readonly string[], command: CliCommand): Promise<CliCommand> {
  const [file, ...args] = prefix;
  if (file === undefined || !(await isExecutable(command.file))) return command;
  return { ...command, file, args: [...args, command.file, ...command.args] };
}
