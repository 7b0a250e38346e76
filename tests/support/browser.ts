/** A real Chromium, one for each test file that asks, and pages of ours served on loopback. All end with the file. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "esbuild";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll } from "vitest";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const LAUNCH_MS_MAX = 30_000;
const LAUNCHES_MAX = 3;
const CLOSE_MS_MAX = 10_000;
const FLAGS = ["--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"];

const cleanUps: (() => Promise<void>)[] = [];
let browser: Promise<Browser> | undefined;

afterAll(async () => {
  browser = undefined;
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
}, CLOSE_MS_MAX * 2);

/** Bundles the module, an absolute path, and serves it in a page with an empty `#root`; answers its address. */
export async function servePage(entryPoint: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entryPoint],
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
 * Opens the address in a context of its own: no cookies, no storage, nothing shared with other pages.
 * Throws a sentence when no browser is installed.
 */
export async function openPage(url: string): Promise<Page> {
  browser ??= startBrowser();
  const context = await (await browser).newContext();
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** With a profile of its own, which Playwright removes with the browser's whole process group. */
async function startBrowser(): Promise<Browser> {
  const named = process.env["CHROMIUM"];
  const executablePath = named ?? PLACES.find((place) => existsSync(place));
  if (executablePath === undefined || !existsSync(executablePath)) {
    throw new Error(
      `no browser at ${named ?? PLACES.join(", ")}; install it, on Debian: apt install chromium, or set CHROMIUM`,
    );
  }
  const started = await launch(executablePath, LAUNCHES_MAX);
  cleanUps.push(() => started.close());
  return started;
}

/** A browser that starts on a cold disk sometimes never answers its first message: a second one does. */
async function launch(executablePath: string, launchesLeft: number): Promise<Browser> {
  try {
    return await chromium.launch({
      executablePath,
      args: FLAGS,
      chromiumSandbox: false,
      timeout: LAUNCH_MS_MAX,
    });
  } catch (error) {
    if (launchesLeft <= 1) throw error;
    return await launch(executablePath, launchesLeft - 1);
  }
}
