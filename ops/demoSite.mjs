// The demo with its sample jobs, for the scripts that look at the dashboard: pictures, scores.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const BROWSERS = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"];
const START_MS_MAX = 180_000;
const PRINTED = /The dashboard: (\S+)\nSign in as (\S+) with the password (\S+)/;

/** Where the browser is; says what to do where there is none. */
export function findBrowser() {
  const found = BROWSERS.find((place) => place !== undefined && existsSync(place));
  if (found !== undefined) return found;
  throw new Error("no browser; install one (apt install chromium) or set CHROMIUM");
}

/** Starts the demo over a clone whose name says nothing of this machine; `stop` ends it and removes its data. */
export async function startDemo() {
  const work = mkdtempSync(path.join(tmpdir(), "fondation-site-"));
  const repository = path.join(work, "fondation");
  execFileSync("git", ["clone", "-q", "--no-hardlinks", root, repository]);
  const places = ["--repo", repository, "--data", path.join(work, "data")];
  const ports = ["--port", "0", "--dashboard-port", "0"];
  const bundle = path.join(root, "dist/cli.mjs");
  const demo = spawn(process.execPath, [bundle, "demo", ...places, ...ports], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const closed = new Promise((resolve) => demo.once("close", resolve));
  const stop = async () => {
    demo.kill("SIGINT");
    await closed;
    rmSync(work, { recursive: true, force: true });
  };
  try {
    const [, url, username, password] = await printed(demo, closed);
    return { url, username, password, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function printed(demo, closed) {
  let said = "";
  return new Promise((resolve, reject) => {
    const fail = (why) => () => reject(new Error(`the demo ${why}:\n${said}`));
    const limit = setTimeout(fail("did not come up"), START_MS_MAX);
    void closed.then(fail("ended")).finally(() => clearTimeout(limit));
    demo.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
      const found = PRINTED.exec(said);
      if (found === null) return;
      clearTimeout(limit);
      resolve(found);
    });
  });
}

/** Signs a page of a browser in, as a person does. */
export async function signIn(page, { url, username, password }) {
  await page.goto(`${url}/sign-in`);
  await page.getByLabel("Name").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
}
