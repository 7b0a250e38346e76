/** Uploading and downloading stored files. */
import type { Engine } from "../engine/engine.js";
import { type ByteRange, FileTooLargeError } from "../files/blobs.js";
import type { Files, StoredFile } from "../files/files.js";
import { isDigest } from "../functions/storageSyscalls.js";
import { HttpError, type HttpRequest, type Reply } from "./request.js";
import type { Route } from "./router.js";

const PREFIX = "/api/storage/";
const DOWNLOAD = /^\/api\/storage\/[0-9a-f-]{36}$/;
/** A file never changes under its key. */
const CACHE_CONTROL = "private, max-age=2592000";

export function storageApi(options: { engine: Engine; files: Files }): Route[] {
  const download = (request: HttpRequest): Promise<Reply> =>
    Promise.resolve(sendFile(options, request));
  return [
    {
      method: "POST",
      path: `${PREFIX}upload`,
      handle: (request) => upload(options.files, request),
    },
    { method: "GET", path: DOWNLOAD, handle: download },
  ];
}

async function upload(files: Files, request: HttpRequest): Promise<Reply> {
  const componentPath = files.uploadTarget(request.url.searchParams.get("token") ?? "");
  if (componentPath === null) {
    throw new HttpError(
      403,
      "StorageTokenInvalid",
      "This upload URL is not valid any more: ask for a new one with storage.generateUploadUrl()",
    );
  }
  try {
    const contentType = request.header("content-type") ?? null;
    const file = await files.write(request.stream(), { componentPath, contentType });
    const wanted = request.header("digest")?.replace(/^sha-256=/i, "");
    if (wanted !== undefined && !isDigest(wanted, file.sha256)) {
      throw new HttpError(400, "BadDigest", "the body does not have the digest in the header");
    }
    return { json: { storageId: await files.commit(file) } };
  } catch (error) {
    if (!(error instanceof FileTooLargeError)) throw error;
    throw new HttpError(413, "FileTooLarge", error.message);
  }
}

function sendFile(
  { engine, files }: { engine: Engine; files: Files },
  request: HttpRequest,
): Reply {
  const tx = engine.begin();
  const file = files.findByKey(tx, request.url.pathname.slice(PREFIX.length));
  tx.abort();
  if (file === null) throw new HttpError(404, "FileNotFound", "There is no such file");
  const range = parseRange(request.header("range"), file.size);
  if (range === "unsatisfiable") {
    throw new HttpError(416, "RangeNotSatisfiable", `The file has ${file.size} bytes`);
  }
  const headers = headersOf(file);
  if (range === null) {
    return {
      body: files.blobs.read(file.key),
      headers: { ...headers, "content-length": String(file.size) },
    };
  }
  const { start, end } = range;
  return {
    status: 206,
    body: files.blobs.read(file.key, range),
    headers: {
      ...headers,
      "content-length": String(end - start + 1),
      "content-range": `bytes ${start}-${end}/${file.size}`,
    },
  };
}

const headersOf = ({ contentType, sha256 }: StoredFile): Record<string, string> => ({
  "content-type": contentType ?? "application/octet-stream",
  digest: `sha-256=${Buffer.from(sha256, "hex").toString("base64")}`,
  "accept-ranges": "bytes",
  "cache-control": CACHE_CONTROL,
});

/** One range of bytes; null for a header that asks for none, or for several. */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | "unsatisfiable" | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null) return null;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return null;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return start > end ? "unsatisfiable" : { start, end };
}
