/** `fondation demo` as a person runs it: what it prints leads to a page worth looking at. */
import { spawn } from "node:child_process";
import path from "node:path";
import { expect, test } from "vitest";
import { findRoot } from "../../cli/root.js";
import { gitRepo } from "../support/gitRepo.js";
import { descendantsOf, killHard, noneLeft } from "../support/processes.js";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";
import { openSignedOut } from "./support.js";

const repo = gitRepo();
const COME_UP_MS_MAX = 60_000;
const PRINTED = /The dashboard: (\S+)\nSign in as (\S+) with the password (\S+)/;

test("check 1: one command, offline: its printed words sign in, jobs of every kind are there, and one finishes while one looks", async () => {
  const places = ["--repo", repo.path, "--data", path.join(tempDir(), "data")];
  const ports = ["--port", "0", "--dashboard-port", "0"];
  const bundle = path.join(findRoot(), "dist/cli.mjs");
  const child = spawn(process.execPath, [bundle, "demo", ...places, ...ports], {
    env: { PATH: process.env["PATH"], HOME: tempDir("home") },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  try {
    const printed = () => PRINTED.exec(said);
    const [, url = "", name = "", password = ""] = await waitFor("it", printed, COME_UP_MS_MAX);
    const { page, complaints } = await openSignedOut(url, "/jobs");
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Password").fill(password);
    await page.keyboard.press("Enter");
    const row = (words: string) => page.getByRole("row").filter({ hasText: words });
    await row("Say in one paragraph").getByText("Succeeded").waitFor();
    await row("Mend the build of the release")
      .getByText(/ref not found/)
      .waitFor();
    await row("Summarise the architecture")
      .getByText(/api rejected/)
      .waitFor();
    await row("Go through every folder").getByText("Running").waitFor();
    for (const [words, reason] of [
      ["Publish the notes", "dependency"],
      ["Delete the branches", "approval"],
      ["Check the links", "schedule"],
      ["Rename the module", "concurrency"],
    ] as const) {
      await row(words).getByText(`· ${reason}`).waitFor();
    }
    await row("Train the classifier").getByText("Pending").waitFor();
    await row("Translate the README").getByText("Canceled").waitFor();
    await page.goto(`${url}/schedules`);
    await page.getByText("Nightly tidy-up").waitFor();
    expect(complaints).toEqual([]);
    const parts = descendantsOf(child.pid ?? 0);
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    await noneLeft(parts);
  } finally {
    const { pid, exitCode } = child;
    if (pid !== undefined && exitCode === null) [pid, ...descendantsOf(pid)].forEach(killHard);
  }
});
