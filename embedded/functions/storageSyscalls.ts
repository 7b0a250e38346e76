/** ctx.storage. Mutations write in their own transaction, actions in one of each call's own. */
import { timingSafeEqual } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { JSONValue } from "convex/values";
import { UserError } from "../engine/errors.js";
import type { Transaction } from "../engine/transaction.js";
import { FileTooLargeError } from "../files/blobs.js";
import type { Files, NewFile, StoredFile } from "../files/files.js";
import type { Calls } from "./calls.js";
import type { Execution } from "./execution.js";
import { type AsyncSyscalls, unknownOperation } from "./syscallAccess.js";
import { stringArg } from "./syscallArgs.js";

type Args = Record<string, JSONValue>;
/** Calls that hand over blobs as they are; their answer is not JSON. */
export type BlobSyscalls = Readonly<
  Record<string, (execution: Execution, args: Record<string, unknown>) => Promise<unknown>>
>;

export function storageSyscalls(calls: Calls, files: Files): AsyncSyscalls {
  /** Reads in the function's transaction where it has one. */
  const find = async (execution: Execution, args: Args, where: string) => {
    const id = stringArg(args, "storageId", where);
    const look = (tx: Transaction) => files.find(tx, id, execution.componentId);
    return execution.tx === null ? calls.transact(look) : look(execution.tx);
  };
  return {
    "1.0/storageGetUrl": async (execution, args) => {
      const file = await find(execution, args, "storage.getUrl");
      return JSON.stringify(file === null ? null : files.urlOf(file));
    },
    "1.0/storageGetMetadata": async (execution, args) => {
      const file = await find(execution, args, "storage.getMetadata");
      return JSON.stringify(file === null ? null : metadataOf(file));
    },
    "1.0/storageGenerateUploadUrl": (execution) => {
      requireNoQuery(execution, "1.0/storageGenerateUploadUrl");
      return JSON.stringify(files.uploadUrl(execution.componentId));
    },
    "1.0/storageDelete": async (execution, args) => {
      requireNoQuery(execution, "1.0/storageDelete");
      const id = stringArg(args, "storageId", "storage.delete");
      await write(execution, calls, (tx) => {
        const file = files.find(tx, id, execution.componentId);
        if (file === null) {
          throw new UserError("FileNotFound", `storage.delete: there is no file ${id}.`);
        }
        files.remove(tx, file);
      });
      return "null";
    },
    "1.0/storageStore": async (execution, args) => {
      requireNoQuery(execution, "1.0/storageStore");
      const bytes = Buffer.from(stringArg(args, "blob", "storage.store"), "base64");
      const file = await written(execution, files, {
        source: Readable.from([bytes]),
        contentType: args["contentType"],
        sha256: args["sha256"],
      });
      return JSON.stringify(await write(execution, calls, (tx) => files.insert(tx, file)));
    },
    "1.0/storageGet": async (execution, args) => {
      requireNoQuery(execution, "1.0/storageGet");
      const file = await find(execution, args, "storage.get");
      if (file === null) return "null";
      const bytes = await buffer(files.blobs.read(file.key));
      return JSON.stringify({ blob: bytes.toString("base64"), contentType: file.contentType });
    },
  };
}

/** The same for actions, which can hand over blobs. */
export function blobSyscalls(calls: Calls, files: Files): BlobSyscalls {
  return {
    "storage/storeBlob": async (execution, args) => {
      requireAction(execution, "storage/storeBlob");
      const { blob, options } = args;
      if (!(blob instanceof Blob)) throw new Error("storage.store expects a Blob.");
      const file = await written(execution, files, {
        source: Readable.fromWeb(blob.stream()),
        contentType: blob.type,
        // An object where present: the caller is convex/server.
        sha256: (options as { sha256?: unknown } | undefined)?.sha256,
      });
      return await files.commit(file);
    },
    "storage/getBlob": async (execution, args) => {
      requireAction(execution, "storage/getBlob");
      const id = String(args["storageId"]);
      const file = await calls.transact((tx) => files.find(tx, id, execution.componentId));
      if (file === null) return null;
      const bytes = await buffer(files.blobs.read(file.key));
      return new Blob([bytes], { type: file.contentType ?? "" });
    },
  };
}

const metadataOf = ({ key, sha256, size, contentType }: StoredFile) => ({
  storageId: key,
  sha256,
  size,
  contentType,
});

type Incoming = { source: AsyncIterable<Uint8Array>; contentType: unknown; sha256: unknown };

/** Throws UserError when it is too large or not what the caller says it is. */
async function written(
  { componentId }: Execution,
  files: Files,
  { source, contentType, sha256 }: Incoming,
): Promise<NewFile> {
  const type = typeof contentType === "string" && contentType !== "" ? contentType : null;
  try {
    const file = await files.write(source, { componentPath: componentId, contentType: type });
    if (typeof sha256 === "string" && !isDigest(sha256, file.sha256)) {
      throw new UserError("Sha256Mismatch", "storage.store: the file does not have that sha256.");
    }
    return file;
  } catch (error) {
    if (error instanceof FileTooLargeError) throw new UserError("FileTooLarge", error.message);
    throw error;
  }
}

/** Whether the text, hexadecimal or base 64, is the digest. */
export function isDigest(text: string, digest: Buffer): boolean {
  const isHex = /^[0-9a-fA-F]{64}$/.test(text);
  const given = Buffer.from(text, isHex ? "hex" : "base64");
  return given.length === digest.length && timingSafeEqual(given, digest);
}

async function write<T>({ tx }: Execution, calls: Calls, body: (tx: Transaction) => T): Promise<T> {
  return tx === null ? await calls.transact(body) : body(tx);
}

function requireNoQuery({ kind }: Execution, op: string): void {
  if (kind === "query") throw unknownOperation("async operation", "UnknownAsyncOperation", op);
}

function requireAction({ kind }: Execution, op: string): void {
  if (kind !== "action") throw unknownOperation("operation", "UnknownOperation", op);
}
