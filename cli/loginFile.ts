/** What `fondation login` keeps: an API key of its own, in a file that only its owner may read. */
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { CommandError } from "./errors.js";

export type Login = { url: string; username: string; apiKeyId: string; key: string };

const NAMES = ["url", "username", "apiKeyId", "key"] as const;

/** Null when nobody has signed in. */
export async function readLogin(file: string): Promise<Login | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  const login = parse(text);
  if (login !== null) return login;
  throw new CommandError(`${file} is not what "fondation login" wrote: delete it and log in again`);
}

function parse(text: string): Login | null {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (typeof found !== "object" || found === null) return null;
  const fields = new Map(Object.entries(found).map(([name, value]) => [name, String(value)]));
  const [url, username, apiKeyId, key] = NAMES.map((name) => fields.get(name));
  if (url === undefined || username === undefined) return null;
  return apiKeyId === undefined || key === undefined ? null : { url, username, apiKeyId, key };
}

/** Replaces the file whole. */
export async function writeLogin(file: string, login: Login): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.${String(process.pid)}`;
  await writeFile(next, `${JSON.stringify(login, null, 2)}\n`, { mode: 0o600 });
  await chmod(next, 0o600);
  await rename(next, file);
}

export async function removeLogin(file: string): Promise<void> {
  await rm(file, { force: true });
}
