// Writes the generated parts of docs/. `node ops/docs.mjs` after a change of ops/importRules.cjs.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as prettier from "prettier";
import rules from "./importRules.cjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const FILE = path.join(root, "docs", "architecture.md");
const [BEGIN, END] = ["<!-- import-rules -->", "<!-- /import-rules -->"];

const code = (words) => words.map((word) => `\`${word}\``).join(", ");
const folders = Object.entries(rules.rows).map(([row, { own, packages }]) => {
  const name = row === "convex/*.ts" ? row : `${row}/`;
  const others = own.filter((folder) => folder !== row);
  const reach = row === "convex/*.ts" ? "everything in `convex/`" : code(others) || "nothing else";
  const which = packages === null ? "any" : code(packages) || "none";
  return `| \`${name}\` | ${reach} | ${which} |`;
});
const doors = Object.entries(rules.doors).map(
  ([file, more]) =>
    `| \`${file}\` | as its folder, and ${code(more)} | any; alone \`convex/browser\` |`,
);
const table = [
  "| code in | may import, besides itself | packages |",
  "| --- | --- | --- |",
  ...folders,
  ...doors,
].join("\n");

const text = readFileSync(FILE, "utf8");
const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
if (from < 0 || to < from) throw new Error(`${FILE} lacks the marks ${BEGIN} … ${END}`);
const fresh = `${text.slice(0, from)}${BEGIN}\n\n${table}\n\n${text.slice(to)}`;
const options = await prettier.resolveConfig(FILE);
const formatted = await prettier.format(fresh, { ...options, parser: "markdown" });
if (process.argv.includes("--check")) {
  // Only our part counts here; the format of the page is the formatter's business.
  const part = (page) => page.slice(page.indexOf(BEGIN), page.indexOf(END));
  const current = await prettier.format(text, { ...options, parser: "markdown" });
  if (part(formatted) !== part(current)) {
    process.stderr.write(
      "docs/architecture.md is older than ops/importRules.cjs; run node ops/docs.mjs\n",
    );
    process.exitCode = 1;
  }
} else if (formatted !== text) {
  writeFileSync(FILE, formatted);
}
