/** `fondation login`, `logout` and `whoami`: who one is at which deployment. */
import { hostname } from "node:os";
import type { Command } from "commander";
import { ask } from "../ask.js";
import { CodeNeeded, makeKey, useKey, type Person } from "../backend.js";
import { withBackend, type Context, type Run } from "../context.js";
import { CommandError, exitCodes, usageError } from "../errors.js";
import { readLogin, removeLogin, writeLogin } from "../loginFile.js";
import { readDuration } from "../numbers.js";

type LoginOptions = {
  url?: string;
  username?: string;
  passwordStdin: boolean;
  code?: string;
  life?: string;
};

export function addLogin(program: Command, run: Run): void {
  program
    .command("login")
    .description("sign in; keeps an API key of its own, not the password")
    .option("--url <url>", "address of the deployment (default: FONDATION_URL)")
    .option("--username <name>", "who signs in")
    .option("--password-stdin", "read the password from stdin", false)
    .option("--code <code>", "one-time code, where one is asked for")
    .option("--life <time>", "how long the key is good, like 90d", "90d")
    .allowExcessArguments(false)
    .action((options: LoginOptions) => run((context) => login(options, context)));
  program
    .command("logout")
    .description("end the key that login made, and forget it")
    .allowExcessArguments(false)
    .action(() => run(logout));
  program
    .command("whoami")
    .description("who you are, at which deployment")
    .option("--json", "one JSON object: {username, role, url}", false)
    .allowExcessArguments(false)
    .action((options: { json: boolean }) => run((context) => whoami(options, context)));
}

async function login(options: LoginOptions, context: Context): Promise<undefined> {
  const { config, output } = context;
  const url = readUrl(options.url ?? config.url);
  const lifeMs = readDuration(options.life ?? "90d", "--life");
  const person = await readPerson(options, context);
  const request = { name: keyName(), lifeMs };
  const made = await signIn({ url, person, request, context });
  const before = await readLogin(config.loginFile);
  const { username, apiKeyId, key, expiresAt, role } = made;
  await writeLogin(config.loginFile, { url, username, apiKeyId, key });
  output.say(
    `signed in at ${url} as ${username} (${role}) until ${new Date(expiresAt).toISOString()}`,
  );
  if (before !== null) await endKey(before, context);
  return undefined;
}

type SigningIn = {
  url: string;
  person: Person;
  request: { name: string; lifeMs: number };
  context: Context;
};

async function signIn({ url, person, request, context }: SigningIn) {
  try {
    return await makeKey(url, person, request);
  } catch (error) {
    if (!(error instanceof CodeNeeded) || !context.isInteractive) throw error;
    const code = await ask(context, "One-time code: ", { option: "--code" });
    return makeKey(url, { ...person, code: code.trim() }, request);
  }
}

async function logout(context: Context): Promise<undefined> {
  const { config, output } = context;
  const login = await readLogin(config.loginFile);
  if (login === null) {
    output.say("nobody was signed in");
    return undefined;
  }
  await removeLogin(config.loginFile);
  await endKey(login, context);
  output.say(`signed out at ${login.url}`);
  return undefined;
}

/** Ends a key that is not needed any more; one that cannot be ended runs out by itself. */
async function endKey(
  { url, key, apiKeyId }: { url: string; key: string; apiKeyId: string },
  { output }: Context,
): Promise<void> {
  try {
    const backend = await useKey(url, key);
    try {
      await backend.revokeKey(apiKeyId);
    } finally {
      await backend.close();
    }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    output.say(`the key of the earlier login could not be ended: ${error.message}`);
  }
}

async function whoami({ json }: { json: boolean }, context: Context): Promise<undefined> {
  await withBackend(context, async (backend) => {
    const me = { ...(await backend.whoami()), url: backend.url };
    context.output.data(json ? JSON.stringify(me) : `${me.username} (${me.role}) at ${me.url}`);
  });
  return undefined;
}

/** Name and password as typed, piped or asked for. A password never travels in arguments. */
export async function readPerson(
  { username, passwordStdin, code }: Omit<LoginOptions, "url" | "life">,
  context: Context,
): Promise<Person> {
  const name = username ?? (await ask(context, "User name: ", { option: "--username" }));
  const password = passwordStdin
    ? await readAll(context.stdin)
    : await ask(context, "Password: ", { option: "--password-stdin", secret: true });
  if (password === "") throw usageError("the password is empty");
  return { username: name.trim(), password, ...(code === undefined ? {} : { code }) };
}

async function readAll(stdin: AsyncIterable<string | Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stdin) parts.push(Buffer.from(part));
  return Buffer.concat(parts)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}

/** What a deployment's address must be, as an origin. */
export function readUrl(text: string | undefined): string {
  if (text === undefined) throw usageError("which deployment? Give --url, or set FONDATION_URL.");
  if (!URL.canParse(text)) throw usageError(`--url is "${text}", which is no address.`);
  const { protocol, origin } = new URL(text);
  if (protocol === "https:" || protocol === "http:") return origin;
  throw new CommandError(`--url is "${text}"; it must be http(s).`, exitCodes.usage);
}

function keyName(): string {
  return `fondation on ${hostname().replace(/[^\x20-\x7e]/g, "?")}`.slice(0, 64);
}
