// Programs that the tests need besides npm packages, and how to get them where we may.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Program → Debian package and why it is needed. */
const NEEDED = [
  { program: "git", debian: "git", why: "the tests clone real repositories" },
  { program: "bwrap", debian: "bubblewrap", why: "the tests run jobs in their jail" },
  { program: "chromium", debian: "chromium", why: "a test runs React clients in a real browser" },
];

/** Installs what is missing; returns one sentence for each program that could not be had. */
export function provide() {
  const missing = NEEDED.filter(({ program }) => !isThere(program));
  if (missing.length === 0) return [];
  if (process.getuid?.() === 0 && isThere("apt-get")) {
    run("apt-get", ["update", "-q"]);
    run("apt-get", [
      "install",
      "-q",
      "-y",
      "--no-install-recommends",
      ...missing.map((m) => m.debian),
    ]);
  }
  return missing
    .filter(({ program }) => !isThere(program))
    .map(
      ({ program, debian, why }) =>
        `${program} is missing (${why}) and could not be installed; install it by hand, on Debian: apt install ${debian}`,
    );
}

function isThere(program) {
  return (process.env.PATH ?? "").split(":").some((folder) => existsSync(`${folder}/${program}`));
}

function run(command, args) {
  spawnSync(command, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
}
