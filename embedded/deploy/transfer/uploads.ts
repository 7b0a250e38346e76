/** Parts of files on their way to an import, kept in the data folder until they are put together. */
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HttpError } from "../../http/request.js";
import { transferLimits } from "./limits.js";

const FOLDER = "imports";
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

export class Uploads {
  readonly #folder: string;
  /** Token → parts received. Oldest first. */
  readonly #open = new Map<string, Set<string>>();

  /** Drops what an earlier process left. */
  constructor(dataDir: string) {
    this.#folder = join(dataDir, FOLDER);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  start(): string {
    const token = randomBytes(16).toString("hex");
    mkdirSync(join(this.#folder, token), { recursive: true, mode: FOLDER_MODE });
    this.#open.set(token, new Set());
    const [oldest] = this.#open.keys();
    if (this.#open.size > transferLimits.uploadsMax && oldest !== undefined) this.drop(oldest);
    return token;
  }

  /** Answers the part's token. Throws HttpError for an unknown upload. */
  part(token: string, number: number, bytes: Uint8Array): string {
    const parts = this.#require(token);
    if (!Number.isInteger(number) || number < 1 || number >= transferLimits.partsMax) {
      throw new HttpError(
        400,
        "BadPartNumber",
        `partNumber must be from 1 to ${transferLimits.partsMax - 1}`,
      );
    }
    writeFileSync(this.#partFile(token, number), bytes, { mode: FILE_MODE });
    parts.add(String(number));
    return String(number);
  }

  /** Puts the parts together; answers the file, which is the caller's to `drop`. */
  finish(token: string, parts: readonly string[]): string {
    const known = this.#require(token);
    const path = join(this.#folder, token, "whole");
    writeFileSync(path, "", { mode: FILE_MODE });
    for (const part of parts) {
      if (!known.has(part)) {
        throw new HttpError(400, "UnknownPart", "a part of the upload is not there; start again");
      }
      const file = this.#partFile(token, Number(part));
      appendFileSync(path, readFileSync(file));
      rmSync(file);
    }
    return path;
  }

  drop(token: string): void {
    this.#open.delete(token);
    rmSync(join(this.#folder, token), { recursive: true, force: true });
  }

  #require(token: string): Set<string> {
    const parts = this.#open.get(token);
    if (parts !== undefined) return parts;
    throw new HttpError(400, "UnknownUpload", "this upload is not known (any more); start again");
  }

  #partFile = (token: string, number: number): string => join(this.#folder, token, `part${number}`);
}
