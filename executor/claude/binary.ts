import { constants } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import type { Clock } from "../clock.js";
import { runCommand } from "../runCommand.js";

/** Which `claude` runs, and what it calls itself. */
export type CliBinary = { file: string; version: string };

const VERSION_MS_MAX = 10_000;
const UNKNOWN = "unknown";

/**
 * CLAUDE_BIN, else the platform package's own binary next to us (which needs no install script), else
 * `claude` on the search path. Undefined when there is none: attempts then end with cliMissing.
 */
export async function findCli(options: {
  given: string | undefined;
  searchPath: string;
  clock: Clock;
}): Promise<CliBinary | undefined> {
  const packaged = options.given === undefined ? await findPackaged() : undefined;
  if (packaged !== undefined) return packaged;
  const candidates =
    options.given === undefined
      ? options.searchPath.split(":").map((folder) => path.join(folder, "claude"))
      : [options.given];
  for (const file of candidates) {
    if (await isExecutable(file)) return { file, version: await askVersion(file, options) };
  }
  return undefined;
}

/** Names of the packages that hold the binary for this machine, the likelier first. */
function packageNames(): string[] {
  const base = `@anthropic-ai/claude-code-${process.platform}-${process.arch}`;
  return process.platform === "linux" ? [base, `${base}-musl`] : [base];
}

async function findPackaged(): Promise<CliBinary | undefined> {
  const require = createRequire(import.meta.url);
  for (const name of packageNames()) {
    const manifest = resolveOrUndefined(require, `${name}/package.json`);
    if (manifest === undefined) continue;
    const file = path.join(path.dirname(manifest), "claude");
    if (await isExecutable(file)) return { file, version: await readVersion(manifest) };
  }
  return undefined;
}

function resolveOrUndefined(require: NodeJS.Require, specifier: string): string | undefined {
  try {
    return require.resolve(specifier);
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function readVersion(manifest: string): Promise<string> {
  const content: unknown = JSON.parse(await readFile(manifest, "utf8"));
  const isNamed = typeof content === "object" && content !== null && "version" in content;
  return isNamed ? String(content.version) : UNKNOWN;
}

async function askVersion(
  file: string,
  { searchPath, clock }: { searchPath: string; clock: Clock },
): Promise<string> {
  const result = await runCommand(
    {
      file,
      args: ["--version"],
      cwd: "/",
      env: { PATH: searchPath, DISABLE_AUTOUPDATER: "1" },
      timeoutMs: VERSION_MS_MAX,
      stdoutMax: 1_000,
    },
    { clock },
  );
  return /\d+\.\d+\.\d+\S*/.exec(result.stdout)?.[0] ?? UNKNOWN;
}
