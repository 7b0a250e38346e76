/**
 * Files in a folder, each under its key; bytes that are still coming are in a folder beside it. A
 * name appears in `files/` only when all its bytes, and the name itself, are on disk.
 */
import { createReadStream, mkdirSync, rmSync } from "node:fs";
import { open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type Blobs, type ByteRange, measured, type WrittenBlob } from "./blobs.js";

export const FILES_FOLDER = "files";
const PARTIAL_FOLDER = "filesPartial";
const OWNER_ONLY = 0o600;
const FOLDER_OWNER_ONLY = 0o700;

export class FolderBlobs implements Blobs {
  readonly #folder: string;
  readonly #partial: string;

  /** What a crash left of unfinished writes is removed. */
  constructor(dataDir: string) {
    this.#folder = join(dataDir, FILES_FOLDER);
    this.#partial = join(dataDir, PARTIAL_FOLDER);
    rmSync(this.#partial, { recursive: true, force: true });
    for (const folder of [this.#folder, this.#partial]) {
      mkdirSync(folder, { recursive: true, mode: FOLDER_OWNER_ONLY });
    }
  }

  async write(key: string, source: AsyncIterable<Uint8Array>): Promise<WrittenBlob> {
    const partial = join(this.#partial, key);
    let written: WrittenBlob = { sha256: Buffer.alloc(0), size: 0 };
    try {
      const file = await open(partial, "wx", OWNER_ONLY);
      try {
        const all = measured(source, (found) => {
          written = found;
        });
        for await (const chunk of all) await file.writeFile(chunk);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partial, join(this.#folder, key));
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
    await syncFolder(this.#folder);
    return written;
  }

  read(key: string, range?: ByteRange): Readable {
    return createReadStream(join(this.#folder, key), range);
  }

  async remove(key: string): Promise<void> {
    await rm(join(this.#folder, key), { force: true });
  }

  async keys(): Promise<string[]> {
    return await readdir(this.#folder);
  }
}

/** Makes a rename durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
