/** What the first load may weigh, compressed as servers send it. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { findRoot } from "../../cli/root.js";

const JS_BYTES_MAX = 190_000;
const CSS_BYTES_MAX = 15_000;
const folder = path.join(findRoot(), "dist/dashboard");

/** Files that the page names, and every file that those import without being asked. */
function firstLoad(extension: string): string[] {
  const html = readFileSync(path.join(folder, "index.html"), "utf8");
  const named = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((match) => match[1] ?? "");
  const seen = new Set<string>();
  const queue = named.filter((name) => name.endsWith(extension));
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const text = readFileSync(path.join(folder, name), "utf8");
    const statics = text.matchAll(/(?:import|from)\s*"(\.\/[^"]+\.js)"/g);
    for (const [, file] of statics)
      queue.push(path.posix.join(path.posix.dirname(name), file ?? ""));
  }
  return [...seen];
}

const gzipped = (names: string[]): number =>
  names.reduce((sum, name) => sum + gzipSync(readFileSync(path.join(folder, name))).length, 0);

test("the first load stays within its budget", () => {
  const scripts = firstLoad(".js");
  expect(scripts.length).toBeGreaterThan(1);
  expect(gzipped(scripts)).toBeLessThanOrEqual(JS_BYTES_MAX);
  expect(gzipped(firstLoad(".css"))).toBeLessThanOrEqual(CSS_BYTES_MAX);
});
