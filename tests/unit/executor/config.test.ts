import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ConfigError, parseConfig, secretsOf } from "../../../executor/config.js";
import { VERSION } from "../../../executor/version.js";

const minimal = { CONVEX_URL: "http://127.0.0.1:3210" };

describe("the executor's configuration", () => {
  it("needs nothing but the URL of the deployment", () => {
    const config = parseConfig(minimal);
    expect(config).toMatchObject({
      convexUrl: "http://127.0.0.1:3210",
      slots: 1,
      leaseMs: 60_000,
      heartbeatMs: 20_000,
      drainMs: 0,
      host: "127.0.0.1",
      port: 8080,
      logLevel: "info",
      gitHosts: ["github.com"],
      localRepositories: [],
      enrolToken: undefined,
      jail: { level: "jail", readable: [] },
    });
    expect(config.name).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  });

  it("says so when the URL is missing", () => {
    expect(() => parseConfig({})).toThrow("CONVEX_URL is not set");
  });

  it("takes an empty variable as unset", () => {
    expect(parseConfig({ ...minimal, PORT: "", WORKER_ID: "" }).port).toBe(8080);
  });

  it("is frozen", () => {
    expect(Object.isFrozen(parseConfig(minimal))).toBe(true);
  });

  it.each([
    ["CONVEX_URL", "ftp://x", 'CONVEX_URL is "ftp://x"; it must be an http:// or https:// URL.'],
    [
      "MAX_CONCURRENT_JOBS",
      "0",
      'MAX_CONCURRENT_JOBS is "0"; it must be a whole number from 1 to 32.',
    ],
    ["MAX_CONCURRENT_JOBS", "two", 'MAX_CONCURRENT_JOBS is "two"'],
    ["LEASE_TIME", "1999", 'LEASE_TIME is "1999"; it must be a whole number from 2000 to 900000.'],
    ["HEARTBEAT_INTERVAL", "40000", "from 100 to 30000, half of LEASE_TIME (60000)"],
    ["PORT", "65536", 'PORT is "65536"; it must be a whole number from 0 to 65535.'],
    ["PORT", "-1", 'PORT is "-1"'],
    ["PORT", "8e3", 'PORT is "8e3"'],
    ["WORKER_ID", "a b", 'WORKER_ID is "a b"; it must be 1 to 64 letters'],
    ["STATE_DIR", "relative", 'STATE_DIR is "relative"; it must be an absolute path.'],
    ["LOG_LEVEL", "loud", 'LOG_LEVEL is "loud"; it must be one of debug, info, warn, error.'],
    ["WORKSPACE_MB_MAX", "0", 'WORKSPACE_MB_MAX is "0"; it must be a whole number from 1 to'],
    ["CACHE_MB_MAX", "-1", 'CACHE_MB_MAX is "-1"; it must be a whole number from 0 to'],
    ["DISK_FREE_MB_MIN", "1.5", 'DISK_FREE_MB_MIN is "1.5"; it must be a whole number from 0 to'],
    ["GIT_HOSTS", "github.com,-x", "it must be host names joined by commas."],
    ["GIT_LOOPBACK_HTTP", "yes", "it must be 1, or unset."],
    ["LOCAL_REPOSITORIES", "/a:b", "it must be absolute paths joined by colons."],
  ])("%s=%s is refused with name, value and what is allowed", (name, value, sentence) => {
    const parse = (): unknown => parseConfig({ ...minimal, [name]: value });
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(sentence);
  });

  it("takes no variable that the README does not list", () => {
    const read = (name: string): string =>
      readFileSync(new URL(`../../../${name}`, import.meta.url), "utf8");
    const [table = ""] =
      /^const VARIABLES = \{$[^]*?^\} satisfies/m.exec(read("executor/config.ts")) ?? [];
    const names = [...table.matchAll(/^  ([A-Z_]+):/gm)].map(([, name]) => name ?? "");
    expect(names.length).toBeGreaterThan(20);
    const listed = read("README.md");
    expect(names.filter((name) => name !== "PATH" && !listed.includes(`\`${name}\``))).toEqual([]);
  });

  it("counts what is kept on disk in MiB", () => {
    const config = parseConfig({ ...minimal, WORKSPACE_MB_MAX: "3", CACHE_MB_MAX: "0" });
    expect(config).toMatchObject({
      workspaceBytesMax: 3 * 1024 ** 2,
      cacheBytesMax: 0,
      diskFreeBytesMin: 1024 ** 3,
    });
  });

  it("never shows a secret that it refuses", () => {
    const parse = (): unknown => parseConfig({ ...minimal, ANTHROPIC_API_KEY: "sk-ant key" });
    expect(parse).toThrow("ANTHROPIC_API_KEY is not usable; it must be an API key without spaces.");
  });

  it("reads lists, numbers and the login", () => {
    const config = parseConfig({
      ...minimal,
      LEASE_TIME: "3000",
      LOCAL_REPOSITORIES: "/srv/a:/srv/b",
      GIT_HOSTS: "git.example:8443,github.com",
      ANTHROPIC_API_KEY: "sk-ant-0123456789",
      FONDATION_ENROL_TOKEN: "fen_0123456789",
      CLAUDE_CONFIG_DIR: "/srv/login",
      DEBUG: "1",
    });
    expect(config.heartbeatMs).toBe(1_000);
    expect(config.localRepositories).toEqual(["/srv/a", "/srv/b"]);
    expect(config.gitHosts).toEqual(["git.example:8443", "github.com"]);
    expect(config.login).toMatchObject({ apiKey: "sk-ant-0123456789", configDir: "/srv/login" });
    expect(config.logLevel).toBe("debug");
    expect(secretsOf(config)).toEqual(["fen_0123456789", "sk-ant-0123456789"]);
  });

  it("states the version of the package", () => {
    const manifest = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
    expect(JSON.parse(manifest)).toMatchObject({ version: VERSION });
  });
});
