/** A real Chromium on a page of ours, served on loopback. Both end with the test file. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { build } from "esbuild";
import { chromium, type Page } from "playwright-core";
import { afterAll } from "vitest";
import { tempDir } from "../support/tempDir.js";

const CHROMIUM = "/usr/bin/chromium";
const START_MS_MAX = 60_000;
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

const cleanUps: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Serves the page; answers its address. */
export async function servePage(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(import.meta.dirname, "browser/page.ts")],
    bundle: true,
    write: false,
    format: "iife",
    platform: "browser",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const script = outputFiles[0]?.text ?? "";
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : '<div id="root"></div><script src="/page.js"></script>');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });
  // A TCP server that listens has an AddressInfo.
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

/** Starts the browser with a profile of its own. Throws a sentence when it is not installed. */
export async function openPage(url: string): Promise<Page> {
  if (!existsSync(CHROMIUM)) {
    throw new Error(`${CHROMIUM} is missing; install it by hand, on Debian: apt install chromium`);
  }
  const profile = path.join(tempDir("chromium"), "profile");
  const child = spawn(CHROMIUM, [...FLAGS, `--user-data-dir=${profile}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  cleanUps.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    const hard = setTimeout(() => child.kill("SIGKILL"), START_MS_MAX / 3);
    await exit;
    clearTimeout(hard);
  });
  const browser = await chromium.connectOverCDP(await debuggerOf(child.stderr));
  const context = browser.contexts()[0] ?? (await browser.newContext());
  const page = await context.newPage();
  cleanUps.push(() => browser.close());
  await page.goto(url);
  return page;
}

/** The address that Chromium prints for debuggers. */
function debuggerOf(stderr: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const timer = setTimeout(() => {
      reject(new Error(`Chromium did not say where its debugger listens: ${said}`));
    }, START_MS_MAX);
    stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const found = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
  });
}
