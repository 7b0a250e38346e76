// Scores of Lighthouse for the dashboard over the demo's sample jobs: `npm run bench:dashboard`; needs the build
// and a Chromium. Fails below 1.0 in accessibility or best practices. Lighthouse is 200 packages, so npx fetches
// it for this run alone; LIGHTHOUSE names one that is there already (its cli/index.js).
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { findBrowser, signIn, startDemo } from "./demoSite.mjs";

const LIGHTHOUSE = "lighthouse@12.8.2";
const PAGES = ["/", "/jobs", "/executors", "/metrics", "/settings"];
const CATEGORIES = ["performance", "accessibility", "best-practices"];
const MUST_BE_WHOLE = ["accessibility", "best-practices"];
const PORT = 9_377;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

const run = promisify(execFile);
const profile = mkdtempSync(path.join(tmpdir(), "fondation-lighthouse-"));
const site = await startDemo();
let context;
try {
  context = await chromium.launchPersistentContext(profile, {
    executablePath: findBrowser(),
    chromiumSandbox: false,
    args: ["--disable-gpu", `--remote-debugging-port=${PORT}`],
  });
  await signIn(await context.newPage(), site);
  for (const page of PAGES) {
    const { categories, audits } = await look(site.url + page);
    const scores = CATEGORIES.map((name) => `${name} ${categories[name].score}`);
    process.stdout.write(`${page.padEnd(12)} ${scores.join(", ")}\n`);
    for (const name of MUST_BE_WHOLE.filter((one) => categories[one].score < 1)) {
      process.exitCode = 1;
      for (const { id, weight } of categories[name].auditRefs) {
        if (weight > 0 && audits[id].score === 0) process.stdout.write(`  ${name}: ${id}\n`);
      }
    }
  }
} finally {
  await context?.close();
  await site.stop();
  rmSync(profile, { recursive: true, force: true });
}

/** Lighthouse's report on an address, in the browser that is signed in. */
async function look(url) {
  const named = process.env.LIGHTHOUSE;
  const [command, ...first] =
    named === undefined ? ["npx", "--yes", LIGHTHOUSE] : [process.execPath, named];
  const options = [
    ...[`--port=${PORT}`, "--preset=desktop", "--disable-storage-reset", "--quiet"],
    ...["--output=json", "--output-path=stdout", `--only-categories=${CATEGORIES.join(",")}`],
  ];
  const { stdout } = await run(command, [...first, url, ...options], {
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  return JSON.parse(stdout);
}
