/** A real Chromium on a page of ours, served on loopback. Both end with the test file. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { build } from "esbuild";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll } from "vitest";

const CHROMIUM = "/usr/bin/chromium";
const START_MS_MAX = 30_000;
const LAUNCHES_MAX = 3;
const FLAGS = ["--disable-gpu", "--disable-quic"];

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

/**
 * Starts a browser with a profile of its own, which Playwright removes with the browser's whole
 * process group. Throws a sentence when it is not installed.
 */
export async function openPage(url: string): Promise<Page> {
  if (!existsSync(CHROMIUM)) {
    throw new Error(`${CHROMIUM} is missing; install it by hand, on Debian: apt install chromium`);
  }
  const browser = await launch(LAUNCHES_MAX);
  cleanUps.push(() => browser.close());
  const page = await browser.newPage();
  await page.goto(url);
  return page;
}

/** A browser that starts on a cold disk sometimes never answers its first message: a second one does. */
async function launch(launchesLeft: number): Promise<Browser> {
  try {
    return await chromium.launch({
      executablePath: CHROMIUM,
      args: FLAGS,
      chromiumSandbox: false,
      timeout: START_MS_MAX,
    });
  } catch (error) {
    if (launchesLeft <= 1) throw error;
    return await launch(launchesLeft - 1);
  }
}
