/** Where the process of a data folder listens, for other commands on this machine. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ADDRESS_FILE = "address";
const FILE_MODE = 0o600;

export function writeAddress(folder: string, url: string): { remove(): void } {
  const path = join(folder, ADDRESS_FILE);
  writeFileSync(path, `${url}\n`, { mode: FILE_MODE });
  return {
    remove: () => {
      rmSync(path, { force: true });
    },
  };
}

/** Null when there is none; one that a crash left behind is only right while its process lives. */
export function readAddress(folder: string): string | null {
  try {
    return readFileSync(join(folder, ADDRESS_FILE), "utf8").trim();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
