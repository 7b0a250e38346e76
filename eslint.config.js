import convex from "@convex-dev/eslint-plugin";
import js from "@eslint/js";
import prettier from "eslint-config-prettier";
import reactHooks from "eslint-plugin-react-hooks";
import globals from "globals";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

const banned = (object, property, message) => ({ object, property, message });
const clock = banned("Date", "now", "read the clock through convex/lib/clock");
const currentDate = [
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: "read the clock through convex/lib/clock",
  },
];
const database = [
  { selector: "MemberExpression[property.name='db']", message: "only convex/model uses ctx.db" },
  { selector: "ObjectPattern > Property[key.name='db']", message: "only convex/model uses ctx.db" },
];
const dataLayer = [
  {
    group: ["convex/react", "**/_generated/*"],
    message: "components take props and the hooks of their feature (dashboard/README.md)",
  },
];

export default defineConfig(
  { ignores: ["convex/_generated/", "dist/", "coverage/", "tests/gates/fixtures/", "*.cjs"] },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["vitest.config.ts", "dashboard/vite.config.ts"] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: true },
      ],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/consistent-type-definitions": "off",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "max-lines-per-function": ["error", { max: 70, skipComments: true, skipBlankLines: true }],
      "max-lines": ["error", { max: 400, skipComments: true, skipBlankLines: true }],
      "max-params": ["error", 3],
      complexity: ["error", 15],
      "no-console": "error",
      "no-empty": ["error", { allowEmptyCatch: false }],
      eqeqeq: "error",
    },
  },
  {
    files: ["**/*.{mjs,js}"],
    extends: [js.configs.recommended],
    languageOptions: { globals: globals.node },
  },
  {
    files: ["convex/**/*.ts"],
    extends: [convex.configs.recommended],
  },
  {
    files: ["dashboard/public/*.js"],
    languageOptions: { globals: globals.browser },
  },
  // A later block replaces the options of the same rule of an earlier one, so each block below says all
  // that holds for its files. tests/gates/lint.test.ts plants a violation of every ban.
  {
    files: ["convex/**/*.ts"],
    ignores: ["convex/model/**", "convex/lib/functions.ts", "convex/lib/clock.ts"],
    rules: { "no-restricted-syntax": ["error", ...currentDate, ...database] },
  },
  {
    files: ["convex/model/**/*.ts", "convex/lib/functions.ts"],
    rules: { "no-restricted-syntax": ["error", ...currentDate] },
  },
  {
    files: ["convex/**/*.ts"],
    ignores: ["convex/lib/clock.ts", "convex/domain/**"],
    rules: { "no-restricted-properties": ["error", clock] },
  },
  {
    files: ["convex/domain/**/*.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        "Date",
        "fetch",
        "crypto",
        "setTimeout",
        "setInterval",
        "process",
      ],
      "no-restricted-properties": ["error", clock, banned("Math", "random", "pass randomness in")],
    },
  },
  {
    files: ["executor/**/*.ts"],
    ignores: ["executor/config.ts"],
    rules: {
      "no-restricted-properties": [
        "error",
        banned("process", "env", "read it through executor/config.ts"),
      ],
    },
  },
  {
    files: ["cli/**/*.ts"],
    ignores: ["cli/config.ts"],
    rules: {
      "no-restricted-properties": [
        "error",
        banned("process", "env", "read it through cli/config.ts"),
      ],
    },
  },
  {
    files: ["dashboard/**/*.{ts,tsx}"],
    extends: [reactHooks.configs.flat.recommended],
  },
  {
    files: ["dashboard/**/*.tsx"],
    ignores: ["dashboard/session/**", "dashboard/shell/**"],
    rules: { "no-restricted-imports": ["error", { patterns: dataLayer }] },
  },
  {
    files: ["dashboard/ui/**", "dashboard/lib/**"],
    rules: { "no-restricted-imports": ["error", { patterns: dataLayer }] },
  },
  {
    files: ["tests/**/*.ts"],
    rules: { "max-lines-per-function": "off" },
  },
  prettier,
);
