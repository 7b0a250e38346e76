/** Files in tests: in memory, and handed over by value, since tests may bring streams of their own. */
import type { JSONValue } from "convex/values";
import type { Engine } from "../engine/engine.js";
import { MemoryBlobs } from "../files/blobs.js";
import { Files } from "../files/files.js";
import type { Execution, SyscallHost } from "../functions/execution.js";

/** Files of this backend can be stored and read; nobody answers at their URLs. */
export const filesInMemory = (engine: Engine): Files =>
  new Files({
    engine,
    blobs: new MemoryBlobs(),
    cloudUrl: "https://some-deployment.convex.cloud",
  });

/** Blobs of actions go the way that those of mutations go: as base 64. */
export function withBlobsByValue(host: SyscallHost): SyscallHost {
  const call = async (execution: Execution, op: string, args: JSONValue): Promise<JSONValue> =>
    // Answers are JSON text.
    JSON.parse(await host.asyncSyscall(execution, op, args)) as JSONValue;
  return {
    ...host,
    jsSyscall: (execution, op, args) => {
      if (op === "storage/storeBlob") return store(args, call.bind(null, execution));
      if (op === "storage/getBlob") return get(args, call.bind(null, execution));
      return host.jsSyscall(execution, op, args);
    },
  };
}

type Call = (op: string, args: JSONValue) => Promise<JSONValue>;

async function store(args: Record<string, unknown>, call: Call): Promise<JSONValue> {
  // What convex/server passes.
  const { blob, options } = args as { blob: Blob; options?: { sha256?: string } };
  const bytes = Buffer.from(await blob.arrayBuffer());
  const { sha256 } = options ?? {};
  return await call("1.0/storageStore", {
    blob: bytes.toString("base64"),
    contentType: blob.type,
    ...(sha256 === undefined ? {} : { sha256 }),
  });
}

async function get(args: Record<string, unknown>, call: Call): Promise<Blob | null> {
  const found = await call("1.0/storageGet", { storageId: String(args["storageId"]) });
  if (found === null) return null;
  // What the call answers for a file that is there.
  const { blob, contentType } = found as { blob: string; contentType: string | null };
  return new Blob([Buffer.from(blob, "base64")], { type: contentType ?? "" });
}
