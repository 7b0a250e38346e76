import { chmod, lstat, opendir, statfs } from "node:fs/promises";
import path from "node:path";
import type { Cancel, Clock } from "./clock.js";

/** Entries that one look counts: a tree with more is over every quota. */
const ENTRIES_MAX = 2_000_000;
const LOOK_MS = 2_000;
/** A whole count takes at most this share of the time, and comes this often at the latest. */
const COUNT_SHARE = 1 / 20;
const COUNT_MS_MAX = 60_000;
/** So much of the quota gone from the disk is worth a count. */
const SUSPICIOUS_SHARE = 1 / 16;
const BLOCK_BYTES = 512;

/**
 * Ends a run whose files grow over the quota: looks at the disk often, which is cheap, and counts the
 * files when the disk has lost room or it is time. The answer ends the watch.
 */
export function watchQuota(options: {
  folder: string;
  bytesMax: number;
  clock: Clock;
  onOver: () => void;
  onError: (error: unknown) => void;
}): Cancel {
  const { folder, bytesMax, clock, onOver, onError } = options;
  let isStopped = false;
  let cancel: Cancel = () => undefined;
  let counted = { at: clock.monotonic(), freeBytes: Infinity, tookMs: 0 };
  const look = async (): Promise<void> => {
    const { bavail, bsize } = await statfs(folder);
    const freeBytes = bavail * bsize;
    const sinceMs = clock.monotonic() - counted.at;
    const isDue =
      sinceMs > COUNT_MS_MAX || counted.freeBytes - freeBytes > bytesMax * SUSPICIOUS_SHARE;
    if (!isDue || sinceMs < counted.tookMs / COUNT_SHARE) return;
    const startedAt = clock.monotonic();
    const bytes = await countBytes(folder, bytesMax);
    counted = { at: clock.monotonic(), freeBytes, tookMs: clock.monotonic() - startedAt };
    if (bytes > bytesMax && !isStopped) {
      isStopped = true;
      onOver();
    }
  };
  const next = (): void => {
    cancel = clock.after(LOOK_MS, () => {
      void look()
        .catch(onError)
        .finally(() => {
          if (!isStopped) next();
        });
    });
  };
  next();
  return () => {
    isStopped = true;
    cancel();
  };
}

/** Room that the files of a folder take, followed through no link; stops counting past `bytesMax`. */
export async function countBytes(folder: string, bytesMax: number): Promise<number> {
  let bytes = 0;
  let entries = 0;
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for await (const entry of await openFolder(at)) {
      entries += 1;
      if (entries > ENTRIES_MAX) return Infinity;
      const file = path.join(at, entry.name);
      if (entry.isDirectory()) folders.push(file);
      // A file may go while it is counted.
      bytes += ((await lstat(file).catch(() => undefined))?.blocks ?? 0) * BLOCK_BYTES;
      if (bytes > bytesMax) return bytes;
    }
  }
  return bytes;
}

/** A run that takes away its own rights hides nothing: the folder is ours. */
async function openFolder(
  folder: string,
): Promise<AsyncIterable<{ name: string; isDirectory(): boolean }>> {
  return opendir(folder).catch(async (error: unknown) => {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return nothing();
    if (code !== "EACCES") throw error;
    await chmod(folder, 0o700);
    return opendir(folder);
  });
}

async function* nothing(): AsyncGenerator<never> {
  // An absent folder has no entries.
}
