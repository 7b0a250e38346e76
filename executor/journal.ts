import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import path from "node:path";
import * as z from "zod/mini";
import type { HeldAttempt } from "../convex/protocol/executor.js";
import type { LogEntry } from "../convex/protocol/log.js";
import type { Ending } from "./backend.js";
import { isAlive, owner, type Owner, thisProcess } from "./owner.js";

/**
 * What an attempt has to tell and the deployment has not acknowledged, on disk: it outlives this
 * process. Written behind the back of whoever tells it, without a sync: it survives the end of the
 * process, not that of the machine. Secrets are out of it before it gets here.
 */
export interface Journal {
  /** Takes entries in the order of their numbers, from 0. */
  add(entry: LogEntry): void;
  /** The deployment has what comes before `seq`; `left` is what it does not have. */
  acknowledge(seq: number, left: readonly LogEntry[]): void;
  /** How the attempt ended. Resolves once it is kept, or cannot be. */
  end(ending: Ending): Promise<void>;
  /** Leaves it to the next process. */
  close(): Promise<void>;
  /** None of it is needed any more. */
  remove(): Promise<void>;
}

type JournalOptions = {
  folder: string;
  held: HeldAttempt;
  /** Called once: from then on only the end is kept, if that can be. */
  onFailure: (error: unknown) => void;
};

/** What has been acknowledged is cleared away when it is more than this, and more than the rest. */
const CLEAR_BYTES_MIN = 1024 * 1024;
/** Journals of an earlier life that are looked at; what a process writes has a bound of its own. */
const LEFT_MAX = 64;
const LEFT_BYTES_MAX = 64 * 1024 * 1024;
const SUFFIX = ".jsonl";

export function openJournal(options: JournalOptions): Journal {
  return new FileJournal(options);
}

class FileJournal implements Journal {
  readonly #options: JournalOptions;
  readonly #file: string;
  #handle: FileHandle | undefined;
  #isBroken = false;
  #seq = 0;
  #ending = "";
  #bytes = 0;
  /** Lines on their way; one write at a time. */
  #lines: string[] = [];
  #work: Promise<void> = Promise.resolve();

  constructor(options: JournalOptions) {
    this.#options = options;
    const { jobId, token } = options.held;
    this.#file = path.join(options.folder, `${jobId}-${token}${SUFFIX}`);
  }

  add(entry: LogEntry): void {
    if (this.#isBroken) return;
    this.#lines.push(`${JSON.stringify({ seq: this.#seq, entry })}\n`);
    this.#seq += 1;
    if (this.#lines.length === 1) this.#then(() => this.#write());
  }

  acknowledge(seq: number, left: readonly LogEntry[]): void {
    const chars = left.reduce((sum, { text, input = "" }) => sum + text.length + input.length, 0);
    if (this.#bytes < CLEAR_BYTES_MIN + 2 * chars) return;
    const entries = left.map((entry, i) => `${JSON.stringify({ seq: seq + i, entry })}\n`);
    this.#then(() => this.#replace(entries.join("")));
  }

  async end(ending: Ending): Promise<void> {
    this.#ending = `${JSON.stringify({ ending })}\n`;
    // Where entries could not be kept, the end takes their room.
    this.#then(() => (this.#isBroken ? this.#replace("") : this.#write(this.#ending)));
    await this.#work;
  }

  async close(): Promise<void> {
    this.#isBroken = true;
    await this.#work;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async remove(): Promise<void> {
    this.#lines = [];
    await this.close();
    await rm(this.#file, { force: true });
  }

  #then(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch((error: unknown) => {
      if (!this.#isBroken) this.#options.onFailure(error);
      this.#isBroken = true;
      this.#lines = [];
    });
  }

  async #write(last = ""): Promise<void> {
    const text = this.#lines.splice(0).join("") + last;
    if (text === "") return;
    if (this.#handle === undefined) {
      await this.#replace(text.slice(0, text.length - last.length));
      return;
    }
    await this.#handle.appendFile(text);
    this.#bytes += Buffer.byteLength(text);
  }

  /** A new file in the place of the old one, which is whole until then. */
  async #replace(text: string): Promise<void> {
    const { folder, held } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const first = `${JSON.stringify({ ...held, ...(await thisProcess()) })}\n`;
    const whole = first + text + this.#ending;
    const next = await open(`${this.#file}.new`, "w", 0o600);
    await next.appendFile(whole);
    await rename(`${this.#file}.new`, this.#file);
    await this.#handle?.close();
    this.#handle = next;
    this.#bytes = Buffer.byteLength(whole);
  }
}

/** What a process that is gone did not get rid of. */
export type Leftover = {
  held: HeldAttempt;
  /** Number of the first of the entries. */
  seq: number;
  entries: LogEntry[];
  ending: Ending | undefined;
  /** To be removed once it is settled. */
  file: string;
};

const header = z.extend(owner, { jobId: z.string(), token: z.number() });
const line = z.union([
  z.object({ seq: z.number(), entry: z.looseObject({ at: z.number(), text: z.string() }) }),
  z.object({ ending: z.object({ outcome: z.unknown(), report: z.unknown() }) }),
]);

/** The journals of processes that are gone; what cannot be read is removed. */
export async function readJournals(folder: string): Promise<Leftover[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  });
  const leftovers: Leftover[] = [];
  for (const name of names.filter((each) => each.endsWith(SUFFIX)).slice(0, LEFT_MAX)) {
    const file = path.join(folder, name);
    const found = await readJournal(file);
    if (found === undefined) await rm(file, { force: true });
    else if (!(await isAlive(found.owner))) leftovers.push(found.leftover);
  }
  return leftovers;
}

async function readJournal(
  file: string,
): Promise<{ owner: Owner; leftover: Leftover } | undefined> {
  const { size } = await stat(file);
  const text = size > LEFT_BYTES_MAX ? "" : await readFile(file, "utf8");
  const [first, ...rest] = text.split("\n");
  const known = header.safeParse(parse(first ?? "")).data;
  if (known === undefined) return undefined;
  const { jobId, token } = known;
  // The deployment gave it out; it checks whatever names it.
  const held = { jobId: jobId as HeldAttempt["jobId"], token };
  const leftover: Leftover = { held, seq: 0, entries: [], ending: undefined, file };
  for (const each of rest) {
    const read = line.safeParse(parse(each)).data;
    // The process may have ended in the middle of a line.
    if (read === undefined) continue;
    // Of both, the deployment checks every field when they are sent.
    if ("ending" in read) leftover.ending = read.ending as Ending;
    else if (leftover.entries.length === 0) {
      leftover.seq = read.seq;
      leftover.entries.push(read.entry as LogEntry);
    } else if (read.seq === leftover.seq + leftover.entries.length) {
      leftover.entries.push(read.entry as LogEntry);
    }
  }
  return { owner: known, leftover };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
