/** Writes a zip file entry by entry, without holding it in memory. */
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { Zip, ZipDeflate } from "fflate";
import { transferLimits } from "./limits.js";

const FILE_MODE = 0o600;
/** Entries are deflated in pieces of about this size. */
const PIECE_CHARS = 64 * 1024;

class ZipTooLarge extends Error {
  override readonly name = "ZipTooLarge";
}

export class ZipWriter {
  readonly #file: number;
  readonly #path: string;
  readonly #zip: Zip;
  #written = 0;
  #failure: Error | null = null;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, "wx", FILE_MODE);
    this.#zip = new Zip((error, chunk) => {
      if (error !== null) this.#failure ??= error;
      else this.#write(chunk);
    });
  }

  /** Opens an entry; the one before must have been ended. */
  entry(name: string): ZipEntry {
    const entry = new ZipDeflate(name, { level: 6 });
    this.#zip.add(entry);
    return new ZipEntry((bytes, isLast) => {
      entry.push(bytes, isLast);
      if (this.#failure !== null) throw this.#failure;
    });
  }

  /** Throws ZipTooLarge, or what the disk said. */
  end(): void {
    this.#zip.end();
    closeSync(this.#file);
    if (this.#failure !== null) throw this.#failure;
  }

  /** Drops what was written. */
  abandon(): void {
    this.#zip.terminate();
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
  }

  #write(chunk: Uint8Array): void {
    this.#written += chunk.length;
    if (this.#written > transferLimits.zipBytesMax) {
      throw new ZipTooLarge("The export is larger than 4 GiB, more than a zip file holds.");
    }
    writeSync(this.#file, chunk);
  }
}

export class ZipEntry {
  readonly #push: (bytes: Uint8Array, isLast: boolean) => void;
  #text = "";

  constructor(push: (bytes: Uint8Array, isLast: boolean) => void) {
    this.#push = push;
  }

  line(text: string): void {
    this.#text += `${text}\n`;
    if (this.#text.length >= PIECE_CHARS) this.#flush(false);
  }

  bytes(bytes: Uint8Array): void {
    this.#flush(false);
    this.#push(bytes, false);
  }

  end(): void {
    this.#flush(true);
  }

  #flush(isLast: boolean): void {
    const bytes = Buffer.from(this.#text, "utf8");
    this.#text = "";
    if (bytes.length > 0 || isLast) this.#push(bytes, isLast);
  }
}
