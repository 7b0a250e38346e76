/** `fondation api-keys`: keys with which scripts act for a person. */
import type { Command } from "commander";
import { ROLES, type Role } from "../../convex/protocol/view.js";
import { makeKey } from "../backend.js";
import { withBackend, type Context, type Run } from "../context.js";
import { usageError } from "../errors.js";
import { readLogin } from "../loginFile.js";
import { readDuration } from "../numbers.js";
import { relative, table } from "../table.js";
import { readPerson, readUrl } from "./login.js";

type CreateOptions = {
  role: string;
  life: string;
  url?: string;
  username?: string;
  passwordStdin: boolean;
  code?: string;
  json: boolean;
};

export function addApiKeys(program: Command, run: Run): void {
  const keys = program
    .command("api-keys")
    .description("keys for scripts: set FONDATION_URL and FONDATION_API_KEY");
  keys
    .command("create")
    .description(
      "print a new key, this once; asks for your password, for a key may not make another",
    )
    .argument("<name>", "what it is for")
    .option("--role <role>", ROLES.join(", "), "operator")
    .option("--life <time>", "how long it is good, like 90d", "90d")
    .option("--url <url>", "address of the deployment (default: where you are signed in)")
    .option("--username <name>", "who signs in (default: you)")
    .option("--password-stdin", "read the password from stdin", false)
    .option("--code <code>", "one-time code, where one is asked for")
    .option("--json", "print one JSON object: {apiKeyId, key, expiresAt}", false)
    .allowExcessArguments(false)
    .action((name: string, options: CreateOptions) =>
      run((context) => create(name, options, context)),
    );
  keys
    .command("list")
    .description("your keys, newest first")
    .option("--json", "print a JSON array", false)
    .allowExcessArguments(false)
    .action(({ json }: { json: boolean }) => run((context) => list(json, context)));
  keys
    .command("revoke")
    .description("end a key at once")
    .argument("<id>")
    .allowExcessArguments(false)
    .action((id: string) =>
      run(async (context) => {
        await withBackend(context, (backend) => backend.revokeKey(id));
        context.output.say(`key ${id} has ended`);
        return undefined;
      }),
    );
}

async function create(name: string, options: CreateOptions, context: Context): Promise<undefined> {
  const before = await readLogin(context.config.loginFile);
  const url = readUrl(options.url ?? context.config.url ?? before?.url);
  const role = readRole(options.role);
  const lifeMs = readDuration(options.life, "--life");
  const username = options.username ?? before?.username;
  const who = username === undefined ? {} : { username };
  const person = await readPerson({ ...options, ...who }, context);
  const { apiKeyId, key, expiresAt } = await makeKey(url, person, { name, role, lifeMs });
  context.output.data(options.json ? JSON.stringify({ apiKeyId, key, expiresAt }) : key);
  context.output.say(`${role}, good until ${new Date(expiresAt).toISOString()}; shown this once`);
  return undefined;
}

async function list(json: boolean, context: Context): Promise<undefined> {
  const found = await withBackend(context, (backend) => backend.listKeys());
  const rows = found.map(({ apiKeyId, name, role, lastFour, expiresAt }) => [
    ...[apiKeyId, name, role, `…${lastFour}`],
    relative(expiresAt, Date.now()),
  ]);
  const text = table(["ID", "NAME", "ROLE", "KEY", "EXPIRES"], rows);
  context.output.data(json ? JSON.stringify(found) : text);
  return undefined;
}

function readRole(text: string): Role {
  const role = ROLES.find((each) => each === text);
  if (role !== undefined) return role;
  throw usageError(`--role is "${text}"; it must be one of ${ROLES.join(", ")}.`);
}
