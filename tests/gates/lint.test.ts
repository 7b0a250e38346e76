import path from "node:path";
import { ESLint } from "eslint";
import { describe, expect, test } from "vitest";
import tseslint from "typescript-eslint";

const root = path.resolve(import.meta.dirname, "../..");
// The planted files do not exist, so no type information can be had for them; the bans need none.
const eslint = new ESLint({ cwd: root, overrideConfig: [tseslint.configs.disableTypeChecked] });

/** Rules broken by a text as if it were that file. */
async function brokenRules(file: string, text: string): Promise<string[]> {
  const [result] = await eslint.lintText(text, { filePath: path.join(root, file) });
  return (result?.messages ?? []).map((message) => message.ruleId ?? message.message);
}

type Ban = { name: string; rule: string; text: string; refusedIn: string[]; allowedIn: string[] };

const BANS: Ban[] = [
  {
    name: "the clock in convex/",
    rule: "no-restricted-properties",
    text: "export const at = Date.now();\n",
    refusedIn: ["convex/jobs.ts", "convex/model/planted.ts", "convex/lib/planted.ts"],
    allowedIn: ["convex/lib/clock.ts", "executor/planted.ts"],
  },
  {
    name: "new Date() without a time in convex/",
    rule: "no-restricted-syntax",
    text: "export const at = new Date();\n",
    refusedIn: ["convex/jobs.ts", "convex/model/planted.ts"],
    allowedIn: ["convex/lib/clock.ts", "executor/planted.ts"],
  },
  {
    name: "Date in convex/domain",
    rule: "no-restricted-globals",
    text: "export const at = new Date(0);\n",
    refusedIn: ["convex/domain/planted.ts"],
    allowedIn: ["convex/model/planted.ts"],
  },
  {
    name: "Math.random in convex/domain",
    rule: "no-restricted-properties",
    text: "export const dice = Math.random();\n",
    refusedIn: ["convex/domain/planted.ts"],
    allowedIn: ["convex/model/planted.ts"],
  },
  {
    name: "the network in convex/domain",
    rule: "no-restricted-globals",
    text: 'export const page = () => fetch("https://example.invalid");\n',
    refusedIn: ["convex/domain/planted.ts"],
    allowedIn: ["executor/planted.ts"],
  },
  {
    name: "timers in convex/domain",
    rule: "no-restricted-globals",
    text: "export const later = () => setTimeout(later, 1);\n",
    refusedIn: ["convex/domain/planted.ts"],
    allowedIn: ["executor/planted.ts"],
  },
  {
    name: "process.env in executor/",
    rule: "no-restricted-properties",
    text: "export const home = process.env;\n",
    refusedIn: ["executor/planted.ts", "executor/claude/planted.ts"],
    allowedIn: ["executor/config.ts"],
  },
  {
    name: "process.env in cli/",
    rule: "no-restricted-properties",
    text: "export const home = process.env;\n",
    refusedIn: ["cli/planted.ts", "cli/demo/planted.ts"],
    allowedIn: ["cli/config.ts"],
  },
  {
    name: "ctx.db outside convex/model",
    rule: "no-restricted-syntax",
    text: "export const read = (ctx: { db: number }) => ctx.db;\n",
    refusedIn: ["convex/jobs.ts", "convex/lib/planted.ts", "convex/domain/planted.ts"],
    allowedIn: ["convex/model/planted.ts", "convex/lib/functions.ts"],
  },
  {
    name: "the backend in components of the dashboard",
    rule: "no-restricted-imports",
    text: 'import { useQuery } from "convex/react";\nexport const read = useQuery;\n',
    refusedIn: [
      "dashboard/features/jobs/Planted.tsx",
      "dashboard/ui/Planted.tsx",
      "dashboard/lib/planted.ts",
    ],
    allowedIn: ["dashboard/features/jobs/planted.ts", "dashboard/session/planted.ts"],
  },
  {
    name: "db taken out of ctx outside convex/model",
    rule: "no-restricted-syntax",
    text: "export const read = ({ db }: { db: number }) => db;\n",
    refusedIn: ["convex/jobs.ts"],
    allowedIn: ["convex/model/planted.ts"],
  },
];

describe("the bans of lint", () => {
  const refused = BANS.flatMap((ban) => ban.refusedIn.map((file) => ({ ...ban, file })));
  const allowed = BANS.flatMap((ban) => ban.allowedIn.map((file) => ({ ...ban, file })));

  test.each(refused)("$name: $file → refused", async ({ file, text, rule }) => {
    expect(await brokenRules(file, text)).toContain(rule);
  });

  test.each(allowed)("$name: $file → allowed", async ({ file, text, rule }) => {
    expect(await brokenRules(file, text)).not.toContain(rule);
  });

  const GENERAL = [
    ["any", "@typescript-eslint/no-explicit-any", "export const a: any = 1;\n"],
    [
      "a non-null assertion",
      "@typescript-eslint/no-non-null-assertion",
      "export const a = [1][0]!;\n",
    ],
    ["an empty catch", "no-empty", "try { f(); } catch {}\nfunction f() {}\n"],
    ["console", "no-console", "console.log(1);\n"],
  ];
  test.each(GENERAL)("%s anywhere → refused", async (_, rule = "", text = "") => {
    for (const folder of ["convex/model", "executor", "embedded", "cli", "tests/unit"]) {
      expect(await brokenRules(`${folder}/planted.ts`, text)).toContain(rule);
    }
  });
});
