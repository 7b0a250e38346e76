import { createInterface } from "node:readline";
import { spawn } from "node:child_process";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { startChild } from "../../cli/childProcess.js";
import { CommandError } from "../../cli/errors.js";
import { isAlive, killHard, noneLeft } from "../support/processes.js";
import { tempDir } from "../support/tempDir.js";

const environment = { PATH: process.env["PATH"] ?? "" };

/** A child that runs this JavaScript. */
function node(code: string, name = "a child") {
  return startChild({ name, command: process.execPath, args: ["-e", code], cwd: "/", environment });
}

// Starts a grandchild that leads a session of its own, as the CLI's tools do, and prints both pids.
const WITH_GRANDCHILD = `
  const { spawn } = require("node:child_process");
  const p = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"], { detached: true, stdio: "ignore" });
  process.on("SIGTERM", () => {});
  console.log(p.pid);
  setInterval(() => {}, 1e6);
`;

describe("a child process", () => {
  test("its first line is handed over", async () => {
    const child = node('console.log("ready"); setInterval(() => {}, 1e6)');
    expect(await child.firstLine(30_000)).toBe("ready");
    await child.stop(5_000);
    await noneLeft([child.pid]);
  });

  test("one that ends before it is ready → its own words", async () => {
    const child = node('process.stderr.write("the folder is in use\\n"); process.exitCode = 3;');
    await expect(child.firstLine(30_000)).rejects.toThrow(new CommandError("the folder is in use"));
    expect(await child.exited).toEqual({ code: 3, signal: null });
  });

  test("a program that does not exist → a sentence", async () => {
    const command = path.join(tempDir(), "missing");
    const child = startChild({ name: "x", command, args: [], cwd: "/", environment });
    await expect(child.firstLine(30_000)).rejects.toThrow(/ENOENT/);
    await child.stop(0);
  });

  test("one that ignores SIGTERM is killed, with what it started in other sessions", async () => {
    const child = node(WITH_GRANDCHILD);
    const grandchild = Number(await child.firstLine(30_000));
    expect(isAlive(grandchild)).toBe(true);
    await child.stop(1);
    await noneLeft([child.pid, grandchild]);
    expect((await child.exited).signal).toBe("SIGKILL");
  });

  test("stopping twice, or after the end, is fine", async () => {
    const child = node("");
    await child.exited;
    await child.stop(1);
    await child.stop(1);
  });

  test("when our own process exits, its children go with it", async () => {
    const code = `
      import { killChildrenOnExit, startChild } from "./cli/childProcess.ts";
      killChildrenOnExit();
      const child = startChild({ name: "x", command: process.execPath, cwd: "/", environment: {},
        args: ["-e", "console.log(process.pid); setInterval(() => {}, 1e6)"] });
      console.log(await child.firstLine(30000));
      throw new Error("a bug");
    `;
    const { build } = await import("esbuild");
    const outfile = path.join(tempDir(), "parent.mjs");
    const root = path.resolve(import.meta.dirname, "../..");
    await build({
      stdin: { contents: code, resolveDir: root, loader: "ts" },
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
    });
    const parent = spawn(process.execPath, [outfile], { stdio: ["ignore", "pipe", "ignore"] });
    const pid = await new Promise<number>((resolve) => {
      createInterface({ input: parent.stdout }).once("line", (line) => {
        resolve(Number(line));
      });
    });
    try {
      await noneLeft([pid]);
    } finally {
      killHard(pid);
    }
  });
});
