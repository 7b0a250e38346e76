/** `fondation prune`: deletes what is older than its days now, or counts it. */
import type { Command } from "commander";
import { AGED_KINDS, RETENTION_KINDS } from "../../convex/protocol/retention.js";
import { confirm } from "../ask.js";
import type { PruneArgs } from "../backend.js";
import { withBackend, type Context, type Run } from "../context.js";
import { usageError } from "../errors.js";
import { table } from "../table.js";

type PruneOptions = {
  dryRun: boolean;
  kind: string[];
  days: string[];
  yes: boolean;
  json: boolean;
};

const collect = (value: string, before: string[]): string[] => [...before, value];

export function addPrune(program: Command, run: Run): void {
  program
    .command("prune")
    .description("delete what is older than its days now, instead of within the hour")
    .option("--dry-run", "count, delete nothing", false)
    .option(
      "--kind <kind>",
      `only this (again for more): ${RETENTION_KINDS.join(", ")}`,
      collect,
      [],
    )
    .option(
      "--days <kind=days>",
      "other days than are set, this once (again for more)",
      collect,
      [],
    )
    .option("--yes", "do not ask", false)
    .option("--json", "print one JSON object: {rows, isComplete}", false)
    .allowExcessArguments(false)
    .action((options: PruneOptions) => run((context) => prune(options, context)));
}

async function prune(options: PruneOptions, context: Context): Promise<undefined> {
  const { dryRun, json, yes } = options;
  const args: PruneArgs = {
    dryRun,
    ...(options.kind.length === 0 ? {} : { kinds: options.kind.map(readKind) }),
    ...(options.days.length === 0 ? {} : { days: Object.fromEntries(options.days.map(readDays)) }),
  };
  await confirm(context, "Delete what is old? --dry-run would count it.", dryRun || yes);
  const { rows, isComplete } = await withBackend(context, (backend) => backend.prune(args));
  if (json) context.output.data(JSON.stringify({ rows, isComplete }));
  else {
    const found = Object.entries(rows).filter(([, count]) => count > 0);
    const head = ["TABLE", dryRun ? "WOULD GO" : "DELETED"];
    context.output.data(
      found.length === 0
        ? "nothing is old"
        : table(
            head,
            found.map(([name, count]) => [name, String(count)]),
          ),
    );
  }
  if (!isComplete) context.output.say("there is more than one call handles: run it again");
  return undefined;
}

function readKind(text: string): (typeof RETENTION_KINDS)[number] {
  const kind = RETENTION_KINDS.find((each) => each === text);
  if (kind !== undefined) return kind;
  throw usageError(`--kind is "${text}"; it must be one of ${RETENTION_KINDS.join(", ")}.`);
}

function readDays(text: string): [string, number] {
  const [name, days] = text.split("=");
  const kind = AGED_KINDS.find((each) => each === name);
  if (kind !== undefined && days !== undefined && /^\d{1,4}$/.test(days)) {
    return [kind, Number(days)];
  }
  throw usageError(`--days is "${text}"; it must be like logs=7, of ${AGED_KINDS.join(", ")}.`);
}
