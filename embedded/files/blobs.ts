/** Where the bytes of stored files are. Which of them count is decided by the rows of `_storage`. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";

export const fileLimits = {
  /** Bytes of one file. */
  fileBytesMax: 1024 * 1024 * 1024,
  /** How long an upload URL can be used. */
  uploadUrlMs: 3_600_000,
  /** How long bytes may wait for the commit that makes them a file. */
  uncommittedMs: 600_000,
} as const;

export type WrittenBlob = { sha256: Buffer; size: number };
/** Both ends inclusive. */
export type ByteRange = { start: number; end: number };

export class FileTooLargeError extends Error {
  override readonly name = "FileTooLargeError";
  constructor() {
    super(`Files are at most ${fileLimits.fileBytesMax} bytes.`);
  }
}

export interface Blobs {
  /** On disk when it resolves; nothing is left behind when it rejects. */
  write(key: string, source: AsyncIterable<Uint8Array>): Promise<WrittenBlob>;
  read(key: string, range?: ByteRange): Readable;
  remove(key: string): Promise<void>;
  keys(): Promise<string[]>;
}

/** Passes chunks on while measuring them. Throws FileTooLargeError. */
export async function* measured(
  source: AsyncIterable<Uint8Array>,
  onEnd: (written: WrittenBlob) => void,
): AsyncIterable<Uint8Array> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > fileLimits.fileBytesMax) throw new FileTooLargeError();
    hash.update(chunk);
    yield chunk;
  }
  onEnd({ sha256: hash.digest(), size });
}

export class MemoryBlobs implements Blobs {
  readonly #blobs = new Map<string, Buffer>();

  async write(key: string, source: AsyncIterable<Uint8Array>): Promise<WrittenBlob> {
    let written: WrittenBlob = { sha256: Buffer.alloc(0), size: 0 };
    const chunks: Uint8Array[] = [];
    const all = measured(source, (found) => {
      written = found;
    });
    for await (const chunk of all) chunks.push(chunk);
    this.#blobs.set(key, Buffer.concat(chunks));
    return written;
  }

  read(key: string, range?: ByteRange): Readable {
    const bytes = this.#blobs.get(key);
    if (bytes === undefined) throw new Error(`There is no file ${key}.`);
    return Readable.from([
      range === undefined ? bytes : bytes.subarray(range.start, range.end + 1),
    ]);
  }

  async remove(key: string): Promise<void> {
    await Promise.resolve(this.#blobs.delete(key));
  }

  async keys(): Promise<string[]> {
    return Promise.resolve([...this.#blobs.keys()]);
  }
}
