/**
 * Stored files: rows of `_storage` (written here) and their bytes. A row is committed only when its
 * bytes are on disk; bytes without a row are removed after a while. The row's key names the bytes
 * and is the part of the URL that has to be guessed.
 */
import { createHmac, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import type { Engine } from "../engine/engine.js";
import type { Document } from "../engine/documents.js";
import type { Transaction } from "../engine/transaction.js";
import { type Blobs, fileLimits, type WrittenBlob } from "./blobs.js";

const TABLE = "_storage";
const SECRET_KEY = "storage/uploadSecret";
const SECRET_BYTES = 32;

export type StoredFile = {
  id: string;
  creationTime: number;
  componentPath: string;
  key: string;
  /** Hexadecimal. */
  sha256: string;
  size: number;
  contentType: string | null;
};
export type NewFile = WrittenBlob & {
  componentPath: string;
  key: string;
  contentType: string | null;
};

export type FilesOptions = {
  engine: Engine;
  blobs: Blobs;
  /** Origin of the URLs that are given out. */
  cloudUrl: string;
};

export class Files {
  readonly blobs: Blobs;
  readonly #engine: Engine;
  readonly #cloudUrl: string;
  readonly #secret: Buffer;
  /** Bytes whose row is not committed yet, as far as is known, and since when. */
  readonly #uncommitted = new Map<string, number>();
  #sweeping: Promise<void> = Promise.resolve();
  #isSweepWanted = false;

  constructor({ engine, blobs, cloudUrl }: FilesOptions) {
    this.blobs = blobs;
    this.#engine = engine;
    this.#cloudUrl = cloudUrl;
    this.#secret = uploadSecret(engine);
  }

  /** Puts bytes on disk under a new key. They are a file once `insert` is committed. */
  async write(
    source: AsyncIterable<Uint8Array>,
    {
      isKept = false,
      ...of
    }: {
      componentPath: string;
      contentType: string | null;
      /** Until `release` however long that takes: for rows that become visible much later. */
      isKept?: boolean;
    },
  ): Promise<NewFile> {
    const key = randomUUID();
    this.#uncommitted.set(key, isKept ? Infinity : this.#engine.clock.nowMs());
    try {
      return { ...of, key, ...(await this.blobs.write(key, source)) };
    } catch (error) {
      this.#uncommitted.delete(key);
      throw error;
    }
  }

  /** The id of the new row. */
  insert(tx: Transaction, file: NewFile): string {
    return tx.insert(TABLE, {
      componentPath: file.componentPath,
      key: file.key,
      sha256: file.sha256.toString("hex"),
      size: file.size,
      ...(file.contentType === null ? {} : { contentType: file.contentType }),
    });
  }

  /** As `insert`, in a transaction of its own. */
  async commit(file: NewFile): Promise<string> {
    const { value: id } = await this.#engine.transact((tx) => this.insert(tx, file));
    this.#uncommitted.delete(file.key);
    return id;
  }

  /** Their rows are visible now, or will never be. */
  release(keys: Iterable<string>): void {
    for (const key of keys) this.#uncommitted.delete(key);
  }

  /** By the id of a row, or by the key that older code of users may hold. */
  find(tx: Transaction, idOrKey: string, componentPath: string): StoredFile | null {
    // Keys are UUIDs; ids hold no dash.
    const row = idOrKey.includes("-") ? rowByKey(tx, idOrKey) : tx.get(TABLE, idOrKey);
    const file = row === null ? null : toFile(row);
    return file?.componentPath === componentPath ? file : null;
  }

  findByKey(tx: Transaction, key: string): StoredFile | null {
    const row = rowByKey(tx, key);
    return row === null ? null : toFile(row);
  }

  remove(tx: Transaction, file: StoredFile): void {
    tx.remove(TABLE, file.id);
  }

  /** Of a component as of a held snapshot. */
  *list(componentPath: string, ts: bigint): IterableIterator<StoredFile> {
    const tx = this.#engine.begin({ ts });
    const range = [{ type: "Eq", fieldPath: "componentPath", value: componentPath }] as const;
    try {
      for (const row of tx.scan(TABLE, { index: "by_component", range })) yield toFile(row);
    } finally {
      tx.abort();
    }
  }

  urlOf({ key }: StoredFile): string {
    return `${this.#cloudUrl}/api/storage/${key}`;
  }

  uploadUrl(componentPath: string): string {
    const expiresMs = this.#engine.clock.nowMs() + fileLimits.uploadUrlMs;
    const text = JSON.stringify({ componentPath, expiresMs });
    const claim = Buffer.from(text).toString("base64url");
    return `${this.#cloudUrl}/api/storage/upload?token=${claim}.${this.#sign(claim)}`;
  }

  /** The component an upload is for; null when the token is not ours or too old. */
  uploadTarget(token: string): string | null {
    const [claim = "", signature = ""] = token.split(".");
    const expected = Buffer.from(this.#sign(claim));
    const given = Buffer.from(signature);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
    // Signed by us, hence written by `uploadUrl`.
    const { componentPath, expiresMs } = JSON.parse(Buffer.from(claim, "base64url").toString()) as {
      componentPath: string;
      expiresMs: number;
    };
    return expiresMs >= this.#engine.clock.nowMs() ? componentPath : null;
  }

  /** Removes bytes without a row, now and whenever rows were removed. The answer ends it. */
  keepSwept(onFault: (error: unknown) => void): () => Promise<void> {
    const start = (): void => {
      if (this.#isSweepWanted) return;
      this.#isSweepWanted = true;
      this.#sweeping = this.#sweeping.then(() => {
        this.#isSweepWanted = false;
        return this.sweep().catch(onFault);
      });
    };
    const unlisten = this.#engine.onTableCommit(TABLE, start);
    start();
    return async () => {
      unlisten();
      await this.#sweeping;
    };
  }

  async sweep(): Promise<void> {
    const oldest = this.#engine.clock.nowMs() - fileLimits.uncommittedMs;
    for (const key of await this.blobs.keys()) {
      if ((this.#uncommitted.get(key) ?? 0) > oldest) continue;
      const tx = this.#engine.begin();
      const isFile = rowByKey(tx, key) !== null;
      tx.abort();
      this.#uncommitted.delete(key);
      if (!isFile) await this.blobs.remove(key);
    }
  }

  #sign(claim: string): string {
    return createHmac("sha256", this.#secret).update(claim).digest("base64url");
  }
}

/** Kept with the data, so that upload URLs outlive a restart. */
function uploadSecret(engine: Engine): Buffer {
  const stored = engine.store.metaGet(SECRET_KEY);
  if (stored !== null) return Buffer.from(stored, "hex");
  const secret = randomBytes(SECRET_BYTES);
  engine.store.commit({ writes: [], meta: [{ key: SECRET_KEY, value: secret.toString("hex") }] });
  return secret;
}

function rowByKey(tx: Transaction, key: string): Document | null {
  const range = [{ type: "Eq", fieldPath: "key", value: key }] as const;
  for (const row of tx.scan(TABLE, { index: "by_key", range })) return row;
  return null;
}

function toFile(row: Document): StoredFile {
  // Written by `insert` only.
  const { componentPath, key, sha256, size } = row as Document &
    Omit<StoredFile, "id" | "creationTime">;
  const contentType = row["contentType"];
  return {
    id: row._id,
    creationTime: row._creationTime,
    componentPath,
    key,
    sha256,
    size,
    contentType: typeof contentType === "string" ? contentType : null,
  };
}
