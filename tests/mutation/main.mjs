// `npm run test:mutation [-- --update]`: breaks convex/domain in each place, once, and says which breaks no
// unit test notices. Fails when one of them is not in survivors.json. With --update it writes that file
// (reasons are kept) and docs/mutation.md.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { mutate, survivors } from "./domain.mjs";

const PROGRESS_EVERY = 100;
const { values } = parseArgs({ options: { update: { type: "boolean", default: false } } });

let done = 0;
const results = await mutate({
  onResult: () => {
    done += 1;
    if (done % PROGRESS_EVERY === 0) process.stderr.write(`${done} mutants\n`);
  },
});
const alive = results.filter(({ by }) => by === null);
const known = survivors();
const unknown = alive.filter(({ key }) => !(key in known));
const gone = Object.keys(known).filter((key) => !alive.some((each) => each.key === key));
process.stdout.write(
  `${results.length} mutants: ${results.length - alive.length} noticed, ${alive.length} alive, ${unknown.length} of them unknown\n`,
);
for (const { key } of unknown) process.stdout.write(`alive: ${key}\n`);
for (const key of gone) process.stdout.write(`noticed by now: ${key}\n`);
if (values.update) write();
else if (unknown.length > 0) process.exitCode = 1;

function write() {
  const kept = Object.fromEntries(
    [...new Set(alive.map(({ key }) => key))].sort().map((key) => [key, known[key] ?? ""]),
  );
  const here = import.meta.dirname;
  writeFileSync(path.join(here, "survivors.json"), `${JSON.stringify(kept, null, 2)}\n`);
  writeFileSync(path.join(here, "../../docs/mutation.md"), page());
}

function page() {
  const files = [...new Set(results.map(({ file }) => file))].sort();
  const count = (list, file) => list.filter((each) => each.file === file).length;
  const cells = results.filter(({ isCell }) => isCell);
  return [
    "# Mutation testing of convex/domain",
    "",
    "<!-- Written by `npm run test:mutation -- --update`. Reasons are kept in tests/mutation/survivors.json. -->",
    "",
    "Each comparison, condition, boolean, number, sum, returned text and cell of the table of transitions in",
    "`convex/domain` is broken once, and the unit tests that reach it are run. What no test notices is in",
    "`tests/mutation/survivors.json`, with a reason where somebody has judged it; a new survivor fails",
    "`npm run test:mutation`. All cells of the table are tried by `npm test`.",
    "",
    `Of ${results.length} breaks ${results.length - alive.length} are noticed. Of the ${cells.length} breaks of the table, ${cells.filter(({ by }) => by !== null).length} are.`,
    "",
    "| file | breaks | not noticed |",
    "| --- | --- | --- |",
    ...files.map((file) => `| ${file} | ${count(results, file)} | ${count(alive, file)} |`),
    "",
    "## Why they are not noticed",
    "",
    "_Equivalent_: no input tells them apart. _Cost only_: the same answer with more work. _Text only_: a figure in a",
    "sentence, by less than is shown. _Not tested_: a test could tell.",
    "",
    ...byReason(),
    "",
  ].join("\n");
}

/** A line for each reason, with the files it is given in. */
function byReason() {
  const lines = new Map();
  for (const { file, key } of alive) {
    const reason = `${file}, ${known[key] || "not judged yet"}`;
    lines.set(reason, (lines.get(reason) ?? 0) + 1);
  }
  return [...lines].sort().map(([reason, times]) => `- ${reason} (${times})`);
}
