import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { countBytes } from "../../../executor/quota.js";
import { tempDir } from "../../support/tempDir.js";

const KIB = 1024;

test("counts the room that files take, through no link and into closed folders", async () => {
  const [folder, outside] = [tempDir("quota"), tempDir("outside")];
  writeFileSync(path.join(outside, "huge"), Buffer.alloc(512 * KIB, 1));
  symlinkSync(outside, path.join(folder, "link"));
  symlinkSync(path.join(outside, "huge"), path.join(folder, "file"));
  mkdirSync(path.join(folder, "closed", "deep"), { recursive: true });
  writeFileSync(path.join(folder, "closed", "deep", "some"), Buffer.alloc(64 * KIB, 1));
  chmodSync(path.join(folder, "closed"), 0);
  const bytes = await countBytes(folder, Infinity);
  expect(bytes).toBeGreaterThanOrEqual(64 * KIB);
  expect(bytes).toBeLessThan(256 * KIB);
});

test("stops as soon as it is more than may be", async () => {
  const folder = tempDir("quota");
  writeFileSync(path.join(folder, "first"), Buffer.alloc(64 * KIB, 1));
  for (let n = 0; n < 50; n += 1) linkSync(path.join(folder, "first"), path.join(folder, `${n}`));
  const bytes = await countBytes(folder, 256 * KIB);
  expect(bytes).toBeGreaterThan(256 * KIB);
  expect(bytes).toBeLessThan(512 * KIB);
});

test("of a folder that is gone there is nothing", async () => {
  expect(await countBytes(path.join(tempDir(), "gone"), 1)).toBe(0);
});
