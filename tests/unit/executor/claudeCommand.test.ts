import { describe, expect, it } from "vitest";
import { buildCommand } from "../../../executor/claude/command.js";

const input = {
  file: "/opt/claude",
  work: { prompt: "Say hello", limits: {}, sessionId: "0e8c7e2e-1111-4222-8333-444455556666" },
  folders: { repo: "/w/repo", home: "/w/home", config: "/w/config", tmp: "/w/tmp" },
  marker: "job1:1:abc",
  login: {
    baseUrl: undefined,
    apiKey: "sk-ant-key",
    oauthToken: undefined,
    configDir: "/home/u/.claude",
  },
  searchPath: "/usr/bin:/bin",
  isRoot: false,
};

describe("the CLI's command", () => {
  it("keeps the clone's settings and servers off and streams events", () => {
    expect(buildCommand(input)).toMatchObject({
      file: "/opt/claude",
      cwd: "/w/repo",
      opening: { id: input.work.sessionId, text: "Say hello" },
      args: [
        "-p",
        "--output-format",
        "stream-json",
        "--verbose",
        "--input-format",
        "stream-json",
        "--replay-user-messages",
        "--setting-sources",
        "user",
        "--strict-mcp-config",
        "--dangerously-skip-permissions",
        "--session-mirror",
        "--session-id",
        input.work.sessionId,
      ],
    });
  });

  it("goes on with a session that was cut off, without saying the prompt again", () => {
    const { args, opening, env } = buildCommand({ ...input, goOn: { kind: "turn" } });
    const { sessionId } = input.work;
    expect(args.slice(-2)).toEqual(["--resume", sessionId]);
    expect(args).not.toContain("--session-id");
    expect([opening, env["CLAUDE_CODE_RESUME_INTERRUPTED_TURN"]]).toEqual([undefined, "1"]);
  });

  it("goes on with what a person says to a session that had ended", () => {
    const { args, opening, env } = buildCommand({
      ...input,
      goOn: { kind: "message", text: "/and then" },
    });
    expect(args.slice(-2)).toEqual(["--resume", input.work.sessionId]);
    expect(opening?.text).toBe("Task:\n/and then");
    expect(env).not.toHaveProperty("CLAUDE_CODE_RESUME_INTERRUPTED_TURN");
  });

  it("where calls of tools are asked about, permissions are not skipped", () => {
    const { args } = buildCommand({ ...input, isGated: true });
    expect(args).not.toContain("--dangerously-skip-permissions");
    expect(args.join(" ")).toContain("--permission-prompt-tool stdio");
  });

  it("hands over the limits as single words", () => {
    const work = { ...input.work, limits: { model: "-x", maxTurns: 3, maxBudgetUsd: 0.5 } };
    expect(buildCommand({ ...input, work }).args.slice(-3)).toEqual([
      "--model=-x",
      "--max-turns=3",
      "--max-budget-usd=0.5",
    ]);
  });

  it("asks for structured output by the job's schema", () => {
    const work = { ...input.work, outputSchema: '{"type":"object"}' };
    expect(buildCommand({ ...input, work }).args.at(-1)).toBe('--json-schema={"type":"object"}');
  });

  it("gives the CLI this environment and nothing else", () => {
    expect(Object.keys(buildCommand(input).env).sort()).toEqual([
      "ANTHROPIC_API_KEY",
      "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
      "CLAUDE_CODE_MAX_RETRIES",
      "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
      "CLAUDE_CODE_TMPDIR",
      "CLAUDE_CONFIG_DIR",
      "DISABLE_AUTOUPDATER",
      "FONDATION_JOB",
      "GIT_AUTHOR_EMAIL",
      "GIT_AUTHOR_NAME",
      "GIT_COMMITTER_EMAIL",
      "GIT_COMMITTER_NAME",
      "GIT_TERMINAL_PROMPT",
      "HOME",
      "LANG",
      "PATH",
      "TMPDIR",
    ]);
  });

  it("allows skipping permissions as root, and only then says that it may", () => {
    expect(buildCommand({ ...input, isRoot: true }).env["IS_SANDBOX"]).toBe("1");
    expect(buildCommand(input).env).not.toHaveProperty("IS_SANDBOX");
  });

  it("uses a login file in place when there is no token", () => {
    const login = { ...input.login, apiKey: undefined };
    const { env } = buildCommand({ ...input, login });
    expect(env["CLAUDE_SECURESTORAGE_CONFIG_DIR"]).toBe("/home/u/.claude");
    expect(env["CLAUDE_CONFIG_DIR"]).toBe("/w/config");
  });

  it.each(["/init", "  /clear x", "\n/help"])(
    "%j does not become a command of the CLI",
    (prompt) => {
      const { opening } = buildCommand({ ...input, work: { ...input.work, prompt } });
      expect(opening?.text).toBe(`Task:\n${prompt}`);
    },
  );
});
