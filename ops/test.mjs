// `npm test`: every check and every test, in order, whatever failed before. The last line of output is
// "N passed, N failed, N skipped" over checks and tests together; the exit code says the same.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { provide } from "./debianPackages.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const bin = (name) => path.join(root, "node_modules", ".bin", name);
const countsFile = path.join(root, "node_modules", ".cache", "testCounts.json");
/** A check that hangs fails; the longest takes a tenth of this. */
const CHECK_MS_MAX = 10 * 60_000;
const TESTS_MS_MAX = 30 * 60_000;
const KILL_AFTER_MS = 5_000;

/** Checks of a lane run one after the other, the lanes side by side: lint takes as long as all others. */
const lint = [
  {
    name: "lint",
    command: bin("eslint"),
    args: [
      ".",
      "--cache",
      "--cache-location",
      "node_modules/.cache/eslint/",
      "--max-warnings",
      "0",
    ],
  },
];
const others = [
  { name: "types", command: bin("tsc"), args: ["-b"] },
  {
    name: "graph",
    command: bin("depcruise"),
    args: [
      "--config",
      ".dependency-cruiser.cjs",
      "convex",
      "executor",
      "embedded",
      "cli",
      "dashboard",
    ],
  },
  { name: "dead", command: bin("knip"), args: [] },
  { name: "format", command: bin("prettier"), args: ["--check", "."] },
  { name: "build", command: process.execPath, args: ["ops/build.mjs"] },
];

/** The programs that run now, at most one a lane. */
const running = new Set();
let stopping = false;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    stopping = true;
    for (const child of running) end(child, "SIGTERM");
  });
}
process.on("exit", () => {
  for (const child of running) signalGroup(child, "SIGKILL");
});

const counts = { passed: 0, failed: 0, skipped: 0 };
for (const sentence of provide()) {
  counts.failed += 1;
  process.stdout.write(`${sentence}\n`);
}
await Promise.all([lint, others].map(runLane));
if (!stopping) await runTests();
if (stopping) process.stdout.write("\nstopped before the end\n");
process.stdout.write(
  `\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
);
process.exitCode = stopping ? 130 : counts.failed > 0 || counts.passed === 0 ? 1 : 0;

async function runLane(checks) {
  for (const check of checks) {
    if (stopping) break;
    await runCheck(check);
  }
}

async function runCheck({ name, command, args }) {
  const startedAt = performance.now();
  const { code, output } = await run({ command, args, timeoutMs: CHECK_MS_MAX });
  const good = code === 0;
  counts[good ? "passed" : "failed"] += 1;
  process.stdout.write(`${good ? "ok  " : "FAIL"} ${name.padEnd(8)} ${seconds(startedAt)}\n`);
  if (!good) process.stdout.write(`${output}\n`);
}

/** vitest writes its numbers to a file (tests/support/closingLine.ts), so that they can be added up here. */
async function runTests() {
  const startedAt = performance.now();
  mkdirSync(path.dirname(countsFile), { recursive: true });
  rmSync(countsFile, { force: true });
  const { code } = await run({
    command: bin("vitest"),
    args: ["run"],
    timeoutMs: TESTS_MS_MAX,
    environment: { FONDATION_TEST_COUNTS: countsFile },
    isShown: true,
  });
  if (existsSync(countsFile)) {
    const tests = JSON.parse(readFileSync(countsFile, "utf8"));
    for (const kind of Object.keys(counts)) counts[kind] += tests[kind];
    // Errors outside any test, or a reporter that saw none: vitest's own verdict still counts.
    if (code !== 0 && tests.failed === 0) counts.failed += 1;
  } else {
    counts.failed += 1;
  }
  process.stdout.write(
    `${code === 0 ? "ok  " : "FAIL"} ${"tests".padEnd(8)} ${seconds(startedAt)}\n`,
  );
}

/** Runs one program in a process group of its own. */
function run({ command, args, timeoutMs, environment = {}, isShown = false }) {
  return new Promise((resolve) => {
    let output = "";
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ["ignore", isShown ? "inherit" : "pipe", isShown ? "inherit" : "pipe"],
      detached: true,
    });
    running.add(child);
    const limit = setTimeout(() => {
      output += `\nstopped after ${timeoutMs / 60_000} minutes`;
      end(child, "SIGTERM");
    }, timeoutMs);
    const keep = (text) => {
      output += text;
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    const ended = (code, why) => {
      clearTimeout(limit);
      // A program that died may have left others of its group behind.
      signalGroup(child, "SIGKILL");
      running.delete(child);
      resolve({ code, output: output + why });
    };
    child.once("error", (error) => ended(1, error.message));
    child.once("close", (code, signal) => ended(code ?? 1, signal === null ? "" : `\n${signal}`));
  });
}

function end(child, signal) {
  signalGroup(child, signal);
  setTimeout(() => {
    if (running.has(child)) signalGroup(child, "SIGKILL");
  }, KILL_AFTER_MS).unref();
}

function signalGroup({ pid }, signal) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

function seconds(startedAt) {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}
