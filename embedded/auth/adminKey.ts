/** The admin key: made once, kept in the data folder, compared in constant time. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const KEY_FILE = "adminKey";
const KEY_NAME = "embedded";
const KEY_BYTES = 32;
const OWNER_ONLY = 0o600;
const FOLDER_OWNER_ONLY = 0o700;
const KEY_FORM = /^[^|\s:]+\|[0-9a-f]{32,}$/;

const newAdminKey = (): string => `${KEY_NAME}|${randomBytes(KEY_BYTES).toString("hex")}`;

/** The key's public part, which tools show: what stands before the bar. */
export const adminKeyName = (key: string): string => key.split("|")[0] ?? "";

/**
 * Reads DIR/adminKey, or makes it with mode 600. Throws when the file holds something else than
 * `name|hex`.
 */
export async function loadAdminKey(dataDir: string): Promise<{ key: string; file: string }> {
  // Made by the store already, unless the documents are in memory.
  await mkdir(dataDir, { recursive: true, mode: FOLDER_OWNER_ONLY });
  const file = join(dataDir, KEY_FILE);
  try {
    // "wx" fails when the file exists, so two starts never make two keys.
    const key = newAdminKey();
    await writeFile(file, `${key}\n`, { mode: OWNER_ONLY, flag: "wx" });
    return { key, file };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  const key = (await readFile(file, "utf8")).trim();
  if (!KEY_FORM.test(key)) {
    throw new Error(`${file} does not hold an admin key (name|hex); remove it to get a new one`);
  }
  return { key, file };
}

/** Whether both are the same key; takes the same time wherever they differ. */
export function isSameKey(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
