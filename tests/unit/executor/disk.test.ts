import path from "node:path";
import { expect, test } from "vitest";
import { guardDisk } from "../../../executor/disk.js";
import { createLogger } from "../../../executor/logger.js";
import { tempDir } from "../../support/tempDir.js";

function aGuard(folder: string, freeBytesMin = 0) {
  const lines: string[] = [];
  const logger = createLogger({
    level: "debug",
    redact: (text) => text,
    write: (line) => {
      lines.push(line);
    },
  });
  return { guard: guardDisk({ folder, freeBytesMin, logger }), lines };
}

test("a folder has a disk with some room, not more than all of it", async () => {
  const { guard, lines } = aGuard(tempDir());
  const disk = await guard.look();
  expect(disk?.totalBytes).toBeGreaterThan(0);
  expect(disk?.freeBytes).toBeLessThanOrEqual(disk?.totalBytes ?? 0);
  expect(disk).not.toHaveProperty("isLow");
  expect(guard.isLow()).toBe(false);
  expect(lines).toEqual([]);
});

test("with less free than is wanted it is low, and the log says so once", async () => {
  const { guard, lines } = aGuard(tempDir(), Number.MAX_SAFE_INTEGER);
  expect(await guard.look()).toMatchObject({ isLow: true });
  await guard.look();
  expect(guard.isLow()).toBe(true);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('"diskLow"');
});

test("where it cannot be told it is left out, and the log says why", async () => {
  const { guard, lines } = aGuard(path.join(tempDir(), "gone"), 1);
  expect(await guard.look()).toBeUndefined();
  expect(guard.isLow()).toBe(false);
  expect(lines.join("")).toContain("ENOENT");
});
