import { randomUUID } from "node:crypto";
import type { GoOn } from "../../convex/protocol/checkpoint.js";
import type { Work } from "../../convex/protocol/executor.js";
import type { CliLogin } from "../config.js";
import { MARKER_VARIABLE } from "../processTree.js";
import type { Message } from "./control.js";
import { loginEnvironment } from "./credentials.js";

/** What is run: nothing of it is interpreted by a shell, nothing of our environment is inherited. */
export type CliCommand = Readonly<{
  file: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  cwd: string;
  /** What is said first, over stdin; undefined: the session goes on by itself. */
  opening: Message | undefined;
}>;

type CommandInput = {
  file: string;
  work: Pick<Work, "prompt" | "limits" | "sessionId" | "outputSchema">;
  /** How the session goes on that is there already; undefined: a new one begins. */
  goOn?: GoOn | undefined;
  /** Calls of tools are asked about, over stdin: none is made without. */
  isGated?: boolean;
  folders: { repo: string; home: string; config: string; tmp: string };
  marker: string;
  login: CliLogin;
  searchPath: string;
  isRoot: boolean;
  /** What to add to the CLI's own instructions. */
  notesFile?: string | undefined;
};

/** Repeats of a failed API request before the failure reaches the queue, which has its own backoff. */
const API_RETRIES = "3";
/** Who commits when the model commits: the attempt has no git configuration of its own. */
const COMMITTER = { name: "Fondation", email: "fondation@localhost" };

/**
 * The call of the CLI. The prompt goes in over stdin, which stays open: people steer the run by it, and
 * closing it after the last result ends the process.
 */
export function buildCommand(input: CommandInput): CliCommand {
  const { folders } = input;
  return {
    file: input.file,
    args: buildArguments(input),
    cwd: folders.repo,
    opening: openingOf(input),
    env: {
      PATH: input.searchPath,
      HOME: folders.home,
      LANG: "C.UTF-8",
      TMPDIR: folders.tmp,
      CLAUDE_CONFIG_DIR: folders.config,
      CLAUDE_CODE_TMPDIR: folders.tmp,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_AUTOUPDATER: "1",
      // Second lock, next to --setting-sources, against a clone that redirects the API.
      CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST: "1",
      CLAUDE_CODE_MAX_RETRIES: API_RETRIES,
      GIT_AUTHOR_NAME: COMMITTER.name,
      GIT_AUTHOR_EMAIL: COMMITTER.email,
      GIT_COMMITTER_NAME: COMMITTER.name,
      GIT_COMMITTER_EMAIL: COMMITTER.email,
      GIT_TERMINAL_PROMPT: "0",
      [MARKER_VARIABLE]: input.marker,
      ...(input.goOn?.kind === "turn" ? { CLAUDE_CODE_RESUME_INTERRUPTED_TURN: "1" } : {}),
      // Without it the CLI refuses to skip permissions as root.
      ...(input.isRoot ? { IS_SANDBOX: "1" } : {}),
      ...loginEnvironment(input.login),
    },
  };
}

function buildArguments({ work, goOn, isGated, notesFile }: CommandInput): string[] {
  const { model, maxTurns, maxBudgetUsd } = work.limits;
  const args = ["-p", "--output-format", "stream-json", "--verbose"];
  // What people say comes back when it is taken up.
  args.push("--input-format", "stream-json", "--replay-user-messages");
  // The clone's own settings, hooks and MCP servers stay off: they would run with our login.
  args.push("--setting-sources", "user", "--strict-mcp-config");
  // What our hook does not settle the CLI asks about, and is refused: nothing slips past a gate.
  if (isGated === true) args.push("--permission-prompt-tool", "stdio");
  else args.push("--dangerously-skip-permissions");
  // The transcript comes on stdout too: what a checkpoint needs, without trusting the run's files.
  args.push("--session-mirror");
  args.push(goOn === undefined ? "--session-id" : "--resume", work.sessionId);
  if (notesFile !== undefined) args.push("--append-system-prompt-file", notesFile);
  // As one word: a value that begins with a dash stays a value.
  if (model !== undefined) args.push(`--model=${model}`);
  if (maxTurns !== undefined) args.push(`--max-turns=${maxTurns}`);
  if (maxBudgetUsd !== undefined) args.push(`--max-budget-usd=${maxBudgetUsd}`);
  if (work.outputSchema !== undefined) args.push(`--json-schema=${work.outputSchema}`);
  return args;
}

/** What is said first: a session that was cut off, or stands at a call of a tool, has its prompt. */
function openingOf({ work, goOn }: CommandInput): Message | undefined {
  if (goOn === undefined) return { id: work.sessionId, text: asPrompt(work.prompt) };
  return goOn.kind === "message" ? { id: randomUUID(), text: asPrompt(goOn.text) } : undefined;
}

/** A prompt that begins with a slash would be taken for a command of the CLI and do nothing. */
function asPrompt(prompt: string): string {
  return prompt.trimStart().startsWith("/") ? `Task:\n${prompt}` : prompt;
}
