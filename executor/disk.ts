import { statfs } from "node:fs/promises";
import type { Disk } from "../convex/protocol/alerts.js";
import type { Logger } from "./logger.js";

/** Once low, a disk is so until so much more is free: it does not come and go with each attempt. */
const CLEAR_FACTOR = 1.25;

/** Watches the disk that holds a folder, as an unprivileged process may use it. */
export interface DiskGuard {
  /** Room now. Undefined where it cannot be told: a heartbeat must not fail for want of it. */
  look(): Promise<Disk | undefined>;
  /** As of the last look: there is too little room for another attempt. */
  isLow(): boolean;
}

export function guardDisk(options: {
  folder: string;
  freeBytesMin: number;
  logger: Logger;
}): DiskGuard {
  const { folder, freeBytesMin, logger } = options;
  let isLow = false;
  return {
    isLow: () => isLow,
    look: async () => {
      try {
        const { bavail, blocks, bsize } = await statfs(folder);
        const [freeBytes, totalBytes] = [bavail * bsize, blocks * bsize];
        const before = isLow;
        isLow = freeBytes < freeBytesMin * (before ? CLEAR_FACTOR : 1);
        if (isLow !== before) logger.warn(isLow ? "diskLow" : "diskFree", { freeBytes });
        return { freeBytes, totalBytes, ...(isLow ? { isLow } : {}) };
      } catch (error) {
        logger.warn("diskUnknown", { why: String(error) });
        return undefined;
      }
    },
  };
}
