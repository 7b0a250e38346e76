import path from "node:path";
import { expect, test } from "vitest";
import { readDisk } from "../../../executor/disk.js";
import { createLogger } from "../../../executor/logger.js";
import { tempDir } from "../../support/tempDir.js";

const loggerTo = (lines: string[]) =>
  createLogger({
    level: "debug",
    redact: (text) => text,
    write: (line) => {
      lines.push(line);
    },
  });

test("a folder has a disk with some room, not more than all of it", async () => {
  const lines: string[] = [];
  const logger = loggerTo(lines);
  const disk = await readDisk(tempDir(), logger);
  expect(disk?.totalBytes).toBeGreaterThan(0);
  expect(disk?.freeBytes).toBeLessThanOrEqual(disk?.totalBytes ?? 0);
  expect(lines).toEqual([]);
});

test("where it cannot be told it is left out, and the log says why", async () => {
  const lines: string[] = [];
  const logger = loggerTo(lines);
  expect(await readDisk(path.join(tempDir(), "gone"), logger)).toBeUndefined();
  expect(lines.join("")).toContain("ENOENT");
});
