import { statfs } from "node:fs/promises";
import type { Disk } from "../convex/protocol/alerts.js";
import type { Logger } from "./logger.js";

/**
 * Room on the disk that holds this folder, as an unprivileged process may use it. Undefined where it
 * cannot be told: a heartbeat must not fail for want of it.
 */
export async function readDisk(folder: string, logger: Logger): Promise<Disk | undefined> {
  try {
    const { bavail, blocks, bsize } = await statfs(folder);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch (error) {
    logger.warn("diskUnknown", { why: String(error) });
    return undefined;
  }
}
