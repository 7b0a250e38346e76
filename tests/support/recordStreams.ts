/**
 * `npm run record:streams`: runs the pinned CLI once for each scenario and writes down what it did, for
 * the tests of outcomes. `-- --only <name> …` records some anew. To be run when the CLI's version changes.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { startMessagesApi, type MessagesApi } from "../../cli/demo/messagesApi.js";
import { findRoot } from "../../cli/root.js";
import { findCli } from "../../executor/claude/binary.js";
import { buildCommand, type CliCommand } from "../../executor/claude/command.js";
import { runCli } from "../../executor/claude/process.js";
import { systemClock } from "../../executor/clock.js";
import { MARKER_VARIABLE } from "../../executor/processTree.js";
import { processesWith } from "./processes.js";
import { type Recording, recordings } from "./recordings.js";
import { type Scenario, SCENARIOS } from "./streamScenarios.js";
import { waitFor } from "./waitFor.js";

const SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin";
const SESSION = "0e8c7e2e-0000-4000-8000-000000000000";
/** A port that nothing listens on. */
const NOBODY = "http://127.0.0.1:9";
/** Beyond a tool's call, for its process to be there. */
const CLI_AND_TOOL = 2;

async function record(name: string, scenario: Scenario): Promise<Recording> {
  const folder = mkdtempSync(path.join(tmpdir(), "fondation-record-"));
  const api = await startMessagesApi({ script: scenario.script ?? { steps: [] } });
  const marker = `record-${name}`;
  const events: Record<string, unknown>[] = [];
  try {
    const command = await commandOf(scenario, { folder, marker, api });
    const ended = runCli(command, {
      ...{ marker, clock: systemClock, signal: new AbortController().signal },
      ...{ answerMs: 60_000, judge: scenario.judge },
      onSpawn: () => undefined,
      onTaken: () => undefined,
      onUsage: () => undefined,
      onStderr: () => undefined,
      onLine: (line) => {
        if (!line.includes('"transcript_mirror"')) events.push(JSON.parse(line) as object & Fields);
      },
    });
    await interfere(scenario, { api, marker, events });
    const { exit, stderr, isStopAsked } = await ended;
    const whole = { run: { exit, stderr, isStopAsked }, events: events.flatMap(trim) };
    const clean = JSON.stringify(whole).replaceAll(folder, "/job").replaceAll(command.file, "/cli");
    // The same value with other paths.
    return JSON.parse(clean) as Recording;
  } finally {
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Fields = Record<string, unknown>;
type Place = { folder: string; marker: string; api: MessagesApi };

async function commandOf(scenario: Scenario, { folder, marker, api }: Place): Promise<CliCommand> {
  const cli = await findCli({ given: undefined, searchPath: SEARCH_PATH, clock: systemClock });
  if (cli === undefined) throw new Error("there is no claude binary");
  const folders = Object.fromEntries(
    ["repo", "home", "config", "tmp"].map((name) => [name, path.join(folder, name)]),
  ) as Record<"repo" | "home" | "config" | "tmp", string>;
  for (const each of Object.values(folders)) mkdirSync(each);
  if (scenario.isFolderGone === true) rmSync(folders.repo, { recursive: true });
  const { login, prompt = "Do the task.", limits = {}, outputSchema } = scenario;
  const schema = outputSchema === undefined ? {} : { outputSchema };
  const command = buildCommand({
    ...{ file: scenario.isProgramGone === true ? "/job/none" : cli.file, folders, marker },
    work: { prompt, limits, sessionId: SESSION, ...schema },
    login: {
      baseUrl: scenario.hasNoApi === true ? NOBODY : api.url,
      apiKey: login === undefined ? "sk-ant-scripted" : undefined,
      oauthToken: login === "subscription" ? "sk-ant-oat01-scripted" : undefined,
      configDir: folders.config,
    },
    ...{ searchPath: SEARCH_PATH, isRoot: process.getuid?.() === 0 },
  });
  const env = { ...command.env, CLAUDE_CODE_MAX_RETRIES: "1", ...scenario.env };
  return { ...command, env, args: [...command.args, ...(scenario.args ?? [])] };
}

/** Sends the scenario's signal at its moment. */
async function interfere(
  { signal, when }: Scenario,
  { api, marker, events }: Omit<Place, "folder"> & { events: readonly Fields[] },
): Promise<void> {
  if (signal === undefined) return;
  const isCalled = (): boolean => JSON.stringify(events).includes('"tool_use"');
  const all = () => processesWith(`${MARKER_VARIABLE}=${marker}`).sort((a, b) => a - b);
  if (when === "model") await api.reached("now");
  else await waitFor("the tool to run", () => isCalled() && all().length >= CLI_AND_TOOL);
  const [pid] = all();
  if (pid !== undefined) process.kill(pid, signal);
}

/** What of an event outcomes are read from, without what differs from run to run. */
function trim(event: Fields): Fields[] {
  const { type, subtype, error, message, parent_tool_use_id } = event;
  switch (type) {
    case "system":
      if (subtype === "init") return [pick(event, ["type", "subtype", "session_id", "model"])];
      return subtype === "api_retry"
        ? [pick(event, ["type", "subtype", "attempt", "error_status", "error"])]
        : [{ type, subtype }];
    case "assistant":
    case "user": {
      const content = (message as Fields | undefined)?.["content"];
      const failed = error === undefined ? {} : { error };
      return [{ type, message: { content }, parent_tool_use_id, ...failed }];
    }
    case "rate_limit_event":
      return [pick(event, ["type", "rate_limit_info"])];
    case "result":
      return [
        pick(event, [
          ...["type", "subtype", "is_error", "api_error_status", "terminal_reason", "num_turns"],
          ...["result", "errors", "session_id", "total_cost_usd", "modelUsage"],
          ...["permission_denials", "structured_output", "deferred_tool_use"],
        ]),
      ];
    default:
      return [];
  }
}

function pick(event: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(
    names.filter((name) => name in event).map((name) => [name, event[name]]),
  );
}

const [option, ...only] = process.argv.slice(2);
const found: Record<string, Recording> = option === "--only" ? recordings() : {};
for (const [name, scenario] of Object.entries(SCENARIOS)) {
  if (option === "--only" && !only.includes(name)) continue;
  found[name] = await record(name, scenario);
  const { run, events } = found[name];
  process.stdout.write(`${name}: ${JSON.stringify(run.exit)}, ${String(events.length)} events\n`);
}
const file = path.join(findRoot(), "tests/unit/fixtures/streams.json");
mkdirSync(path.dirname(file), { recursive: true });
const rows = Object.keys(SCENARIOS).map((name) => [name, found[name]]);
writeFileSync(file, `${JSON.stringify(Object.fromEntries(rows), null, 2)}\n`);
