/** `fondation start` as a person runs it. */
import { spawn } from "node:child_process";
import path from "node:path";
import { expect, test } from "vitest";
import { findRoot } from "../../cli/root.js";
import { descendantsOf, noneLeft } from "../support/processes.js";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";

test("start: a backend and its dashboard until Ctrl-C, then no process is left", async () => {
  const ports = ["--port", "0", "--dashboard-port", "0"];
  const data = ["--data", path.join(tempDir(), "data")];
  const child = spawn(
    process.execPath,
    [path.join(findRoot(), "dist/cli.mjs"), "start", ...ports, ...data],
    {
      env: { PATH: process.env["PATH"], HOME: tempDir("home") },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  try {
    const url = await waitFor(
      "its address",
      () => /The dashboard: (http:\S+)/.exec(said)?.[1],
      60_000,
    );
    expect(await (await fetch(url)).text()).toContain('<div id="root">');
    const config = (await (await fetch(`${url}/config.json`)).json()) as { backendUrl: string };
    expect((await fetch(`${config.backendUrl}/version`)).status).toBe(200);
    const parts = descendantsOf(child.pid ?? 0);
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    await noneLeft(parts);
  } finally {
    child.kill("SIGKILL");
  }
});
