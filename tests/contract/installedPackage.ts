/** What the installed `convex` package asks of a backend, read from its files. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const PACKAGE = path.resolve(import.meta.dirname, "../../node_modules/convex");
const VERSIONED = /["'`](1\.0\/[\w/]+)["'`]/g;
const JS_SYSCALL = /performJsSyscall\(\s*"([^"]+)"/g;
/** A text or template with "/api/" that begins with nothing or with one expression: the deployment's URL. */
const API_PATH = /["'`](?:\$\{([^}]*)\})?(\/api\/[^"'`\s]*)["'`]/g;
/** The typed client of the CLI: paths below /api/v1. */
const V1_PATH = /\.(?:GET|POST|PUT|PATCH|DELETE)\(\s*"(\/[^"]+)"/g;
const MESSAGE_TYPE = /^\s*type: "(\w+)";/gm;

export type AskedOf = {
  syscalls: string[];
  jsSyscalls: string[];
  messages: string[];
  /** Expressions in them are replaced by "1". */
  apiPaths: string[];
};

export function askedOfBackend(): AskedOf {
  const server = textsUnder("dist/esm/server");
  const clients = [...textsUnder("dist/esm/browser"), read("dist/cli.bundle.cjs")];
  return {
    syscalls: found(server, VERSIONED),
    jsSyscalls: found(server, JS_SYSCALL),
    messages: found([read("src/browser/sync/protocol.ts")], MESSAGE_TYPE),
    apiPaths: [
      ...new Set(clients.flatMap(apiPathsIn)),
      ...found(clients, V1_PATH).map((name) => `/api/v1${withoutExpressions(name)}`),
    ].toSorted(),
  };
}

/** Only what goes to the deployment itself; other services have URLs of their own. */
function apiPathsIn(text: string): string[] {
  return [...text.matchAll(API_PATH)]
    .filter(([, origin = ""]) => !/^(?:dashboardUrl|provisionHost)/.test(origin))
    .map(([, , name = ""]) => withoutExpressions(name));
}

const withoutExpressions = (name: string): string =>
  name.replace(/\$\{[^}]*\}|\{[^}]*\}/g, "1").replace(/\?.*$/, "");

const found = (texts: readonly string[], pattern: RegExp): string[] =>
  [
    ...new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name = ""]) => name))),
  ].toSorted();

const read = (file: string): string => readFileSync(path.join(PACKAGE, file), "utf8");

const textsUnder = (folder: string): string[] =>
  readdirSync(path.join(PACKAGE, folder), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".js"))
    .map((name) => read(path.join(folder, name)));
