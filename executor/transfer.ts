import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as z from "zod/mini";
import type { StoredPart } from "../convex/protocol/checkpoint.js";

/** Files to and from the deployment's storage, over node:http for the reason of smallFetch. */
const TRANSFER_MS_MAX = 60_000;
const ANSWER_BYTES_MAX = 64 * 1024;

const uploaded = z.object({ storageId: z.string() });

/** A file to upload: its bytes, or where they come from, with their number and digest. */
export type Upload = {
  body: Buffer | AsyncIterable<Buffer>;
  bytes: number;
  sha256: string;
  signal?: AbortSignal;
};

export function uploadBytes(url: string, bytes: Buffer): Promise<StoredPart> {
  return upload(url, { body: bytes, bytes: bytes.length, sha256: sha256(bytes) });
}

/** Uploads to an address that the deployment gave out; hands out what attaching the file needs. */
export async function upload(url: string, what: Upload): Promise<StoredPart> {
  const headers = {
    // Never a type that a browser would show: runs write what they like.
    "content-type": "application/octet-stream",
    "content-length": String(what.bytes),
  };
  const { status, body } = await send(url, {
    method: "POST",
    headers,
    body: what.body,
    bytesMax: ANSWER_BYTES_MAX,
    ...(what.signal === undefined ? {} : { signal: what.signal }),
  });
  if (status !== 200) throw new Error(`the upload was refused with HTTP ${status}`);
  const { storageId } = uploaded.parse(JSON.parse(body.toString("utf8")));
  return {
    // The deployment made it, of the table that the address was for.
    storageId: storageId as StoredPart["storageId"],
    sha256: what.sha256,
    bytes: what.bytes,
  };
}

/** Fetches a file and throws unless it has the size and the digest it should have. */
export async function download(part: {
  url: string;
  sha256: string;
  bytes: number;
}): Promise<Buffer> {
  const { status, body } = await send(part.url, {
    method: "GET",
    headers: {},
    bytesMax: part.bytes,
  });
  if (status !== 200) throw new Error(`a part was refused with HTTP ${status}`);
  if (body.length !== part.bytes || sha256(body) !== part.sha256) {
    throw new Error("a part is not what was uploaded: size or SHA-256 differ");
  }
  return body;
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

type Message = {
  method: "GET" | "POST";
  headers: Record<string, string>;
  body?: Upload["body"];
  bytesMax: number;
  signal?: AbortSignal;
};

function send(address: string, message: Message): Promise<{ status: number; body: Buffer }> {
  const url = new URL(address);
  const { method, headers, bytesMax } = message;
  const timeout = AbortSignal.timeout(TRANSFER_MS_MAX);
  const signal =
    message.signal === undefined ? timeout : AbortSignal.any([timeout, message.signal]);
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(
      url,
      { method, headers, signal },
      (response) => {
        const pieces: Buffer[] = [];
        let bytes = 0;
        response.on("data", (piece: Buffer) => {
          bytes += piece.length;
          pieces.push(piece);
          if (bytes > bytesMax) request.destroy(new Error("the answer is too long"));
        });
        response.once("error", reject);
        response.once("end", () => {
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) });
        });
      },
    );
    request.once("error", reject);
    if (message.body === undefined || Buffer.isBuffer(message.body)) request.end(message.body);
    // A source that breaks off must break off the request, or the other side waits for the rest.
    else pipeline(Readable.from(message.body), request).catch(reject);
  });
}
