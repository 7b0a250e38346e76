import { lstat, readlink } from "node:fs/promises";
import path from "node:path";
import type { Workspace } from "../workspace.js";

/** The call of bwrap(1), version 0.8: which parts of the machine a run sees, and how. */

/** Folders at the root that hold programs and libraries; on merged systems they are links into /usr. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/** What programs look up in /etc; nothing of it is secret, nothing else of /etc is there. */
const ETC = [
  ...["alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types"],
  ...["nsswitch.conf", "os-release", "protocols", "services", "ssl/certs", "ssl/openssl.cnf"],
];
/** What of a clone's .git would make git run programs, or take objects from elsewhere. */
const OURS_IN_GIT = ["config", "hooks", "objects/info"];
const MIB = 1024 ** 2;
/** Held in memory; a run's own temporary folder is on disk. */
const TMP_BYTES = 256 * MIB;
const SHM_BYTES = 64 * MIB;
export const HOST_NAME = "fondation";
/** Where our own parts are inside. */
export const INSIDE = "/run/fondation";

export type SystemFolder =
  { kind: "folder"; at: string } | { kind: "link"; at: string; target: string };

/** What of SYSTEM there is on this machine. */
export async function findSystem(): Promise<SystemFolder[]> {
  const found = await Promise.all(
    SYSTEM.map(async (at): Promise<SystemFolder[]> => {
      const stat = await lstat(at).catch(() => undefined);
      if (stat === undefined) return [];
      if (!stat.isSymbolicLink()) return [{ kind: "folder", at }];
      return [{ kind: "link", at, target: await readlink(at) }];
    }),
  );
  return found.flat();
}

export type BubblewrapInput = {
  system: readonly SystemFolder[];
  /** True: bwrap runs as root and the program inside gives its rights up itself (setpriv). */
  isRoot: boolean;
  folders: Pick<Workspace, "repo" | "home" | "config" | "tmp">;
  /** Files and folders that are shown read-only, from → at. */
  readable: readonly (readonly [from: string, at: string])[];
};

/** Arguments of bwrap, up to the program. They hold no secret: every process may read them. */
export function bubblewrapArguments(input: BubblewrapInput): string[] {
  const { repo, home, config, tmp } = input.folders;
  const etc = ETC.map((name) => `/etc/${name}`);
  const shown = input.readable.map(([, at]) => at);
  return [
    ...(input.isRoot ? rootNamespaces(["SETUID", "SETGID", "SETPCAP"]) : ["--unshare-all"]),
    ...["--die-with-parent", "--hostname", HOST_NAME],
    ...systemArguments(input.system),
    ...["--proc", "/proc", "--dev", "/dev"],
    ...["--size", String(SHM_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm"],
    ...["--size", String(TMP_BYTES), "--perms", "1777", "--tmpfs", "/tmp"],
    ...foldersAbove([...etc, ...shown, repo]).flatMap((folder) => {
      return ["--perms", "0755", "--dir", folder];
    }),
    ...etc.flatMap((file) => ["--ro-bind-try", file, file]),
    ...[repo, home, config, tmp].flatMap((folder) => ["--bind", folder, folder]),
    // Bound onto itself, a folder cannot be moved away to make room for another one.
    ...[".git", ".git/objects"].flatMap((name) => {
      return ["--bind", `${repo}/${name}`, `${repo}/${name}`];
    }),
    ...OURS_IN_GIT.flatMap((name) => {
      return ["--ro-bind", `${repo}/.git/${name}`, `${repo}/.git/${name}`];
    }),
    ...input.readable.flatMap(([from, at]) => ["--ro-bind", from, at]),
    ...["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--"],
  ];
}

/**
 * Arguments of bwrap for git over a clone that a run has in its hands: whatever links and names the run
 * puts in its way, also while git looks, nothing else is there to be read, and only `gitFolder` to be
 * written.
 */
export function gitArguments(
  input: Pick<BubblewrapInput, "system" | "isRoot"> & {
    readable: readonly string[];
    repo: string;
    gitFolder: string;
  },
): string[] {
  const { system, isRoot, readable, repo, gitFolder } = input;
  return [
    // The clone is another user's, who may have closed parts of it.
    ...(isRoot ? rootNamespaces(["DAC_READ_SEARCH"]) : ["--unshare-all"]),
    "--die-with-parent",
    ...systemArguments(system),
    ...["--dev", "/dev"],
    ...[...readable, repo].flatMap((folder) => ["--ro-bind", folder, folder]),
    ...["--bind", gitFolder, gitFolder],
    ...["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", repo, "--"],
  ];
}

function systemArguments(system: readonly SystemFolder[]): string[] {
  return system.flatMap((folder) =>
    folder.kind === "link"
      ? ["--symlink", folder.target, folder.at]
      : ["--ro-bind", folder.at, folder.at],
  );
}

/** All folders on the way to the paths, outermost first: what bwrap makes by itself is closed to others. */
function foldersAbove(paths: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const each of paths) {
    for (let folder = path.dirname(each); folder !== "/"; folder = path.dirname(folder)) {
      folders.add(folder);
    }
  }
  // /tmp has its mode already, and a folder of the system cannot be changed.
  const isMade = (folder: string): boolean => {
    return folder !== "/tmp" && !SYSTEM.some((system) => `${folder}/`.startsWith(`${system}/`));
  };
  return [...folders].filter(isMade).sort();
}

/** Root needs no namespace of users, which many machines forbid to others. Of root's rights these stay. */
function rootNamespaces(rights: readonly string[]): string[] {
  const spaces = ["ipc", "pid", "net", "uts"].map((name) => `--unshare-${name}`);
  const kept = rights.flatMap((name) => ["--cap-add", `CAP_${name}`]);
  return [...spaces, "--unshare-cgroup-try", "--cap-drop", "ALL", ...kept];
}
