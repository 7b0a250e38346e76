import { createHash } from "node:crypto";
import { lstat, mkdir, readdir, rm, utimes, writeFile } from "node:fs/promises";
import path from "node:path";

/**
 * Bare mirrors of remote repositories, so that a clone costs what is new. A run never sees one: its
 * clone is a copy of its own, fetched from the mirror by the commit that the host has just named, and
 * git checks each object by its hash on the way. Of a mirror only objects and refs are kept from one use
 * to the next; whatever could make git run or fetch something else is made anew.
 */
export interface RepositoryCache {
  /** Works with the mirror of a URL; nobody else does meanwhile. Null: it is of no use, and goes. */
  use<T>(url: string, work: (mirror: string) => Promise<T | null>): Promise<T | null>;
}

const MIRRORS_MAX = 20;
/** Each fetch leaves a pack; with more, a fresh mirror is cheaper than putting them in order. */
const PACKS_MAX = 32;
/** Files of one mirror that are counted; more, and it is no mirror of ours. */
const FILES_MAX = 20_000;

const KEPT = ["objects", "refs", "packed-refs", "shallow"];
const CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[fetch]\n\tunpackLimit = 1\n";

export function openRepositoryCache(folder: string, bytesMax: number): RepositoryCache {
  return new FolderCache(folder, bytesMax);
}

class FolderCache implements RepositoryCache {
  readonly #folder: string;
  readonly #bytesMax: number;
  /** The last use of each mirror that is in use. */
  readonly #uses = new Map<string, Promise<unknown>>();

  constructor(folder: string, bytesMax: number) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
  }

  async use<T>(url: string, work: (mirror: string) => Promise<T | null>): Promise<T | null> {
    const name = createHash("sha256").update(url).digest("hex").slice(0, 32);
    const before = this.#uses.get(name) ?? Promise.resolve();
    const turn = before.then(() => this.#use(path.join(this.#folder, name), work));
    const settled = turn.catch(() => undefined);
    this.#uses.set(name, settled);
    try {
      return await turn;
    } finally {
      if (this.#uses.get(name) === settled) this.#uses.delete(name);
      // What could not be measured or removed now is looked at after the next use.
      await this.#trim().catch(() => undefined);
    }
  }

  async #use<T>(mirror: string, work: (mirror: string) => Promise<T | null>): Promise<T | null> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await makeReady(mirror);
    const result = await work(mirror);
    if (result === null) await rm(mirror, { recursive: true, force: true });
    else await utimes(mirror, new Date(), new Date());
    return result;
  }

  /** Removes those used longest ago until the rest is within bounds. */
  async #trim(): Promise<void> {
    const names = await readdir(this.#folder);
    const mirrors = await Promise.all(
      names.map(async (name) => ({ name, ...(await measure(path.join(this.#folder, name))) })),
    );
    mirrors.sort((a, b) => b.usedAt - a.usedAt);
    let bytes = 0;
    for (const [rank, mirror] of mirrors.entries()) {
      const isKept =
        rank < MIRRORS_MAX &&
        mirror.packs <= PACKS_MAX &&
        mirror.files < FILES_MAX &&
        bytes + mirror.bytes <= this.#bytesMax;
      if (isKept || this.#uses.has(mirror.name)) bytes += mirror.bytes;
      else await rm(path.join(this.#folder, mirror.name), { recursive: true, force: true });
    }
  }
}

/** An empty mirror, or the one there is with nothing of it but objects and refs. */
async function makeReady(mirror: string): Promise<void> {
  const entries = await readdir(mirror, { withFileTypes: true }).catch(() => []);
  const objects = await readdir(path.join(mirror, "objects"), { withFileTypes: true }).catch(
    () => [],
  );
  // Through a link, git would write somewhere else.
  const isSound = [...entries, ...objects].every((entry) => !entry.isSymbolicLink());
  if (!isSound) await rm(mirror, { recursive: true, force: true });
  await mkdir(path.join(mirror, "refs"), { recursive: true, mode: 0o700 });
  await mkdir(path.join(mirror, "objects"), { recursive: true, mode: 0o700 });
  for (const entry of isSound ? entries : []) {
    if (KEPT.includes(entry.name)) continue;
    await rm(path.join(mirror, entry.name), { recursive: true, force: true });
  }
  // Where alternates would be: objects of elsewhere.
  await rm(path.join(mirror, "objects", "info"), { recursive: true, force: true });
  await writeFile(path.join(mirror, "config"), CONFIG, { flag: "wx" });
  await writeFile(path.join(mirror, "HEAD"), "ref: refs/heads/none\n", { flag: "wx" });
}

type Size = { bytes: number; files: number; packs: number; usedAt: number };

async function measure(mirror: string): Promise<Size> {
  const { mtimeMs: usedAt } = await lstat(mirror);
  const size: Size = { bytes: 0, files: 0, packs: 0, usedAt };
  const visit = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      size.files += 1;
      if (size.files >= FILES_MAX) return;
      const at = path.join(folder, entry.name);
      if (entry.isDirectory()) await visit(at);
      else size.bytes += (await lstat(at).catch(() => undefined))?.size ?? 0;
      if (entry.name.endsWith(".pack")) size.packs += 1;
    }
  };
  await visit(mirror);
  return size;
}
