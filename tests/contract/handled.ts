/** Finds out what the embedded backend answers, by asking it. */
import { Engine } from "../../embedded/engine/engine.js";
import { UserError } from "../../embedded/engine/errors.js";
import { MemoryBlobs } from "../../embedded/files/blobs.js";
import { Files } from "../../embedded/files/files.js";
import { LogLines } from "../../embedded/functions/console.js";
import { Execution, type ExecutionKind } from "../../embedded/functions/execution.js";
import { syscallHost } from "../../embedded/functions/syscalls.js";
import { MemoryStore } from "../../embedded/store/memoryStore.js";
import { parseClientMessage } from "../../embedded/sync/protocol.js";

const KINDS: readonly ExecutionKind[] = ["query", "mutation", "action"];
const UNKNOWN = new Set(["UnknownOperation", "UnknownAsyncOperation"]);
type Ask = (execution: Execution) => unknown;

/** Answers which calls some kind of function may make, whatever arguments they want. */
export class SyscallProbe {
  readonly #engine = new Engine({ store: new MemoryStore() });
  readonly #host = syscallHost(
    {
      nested: () => Promise.resolve("null"),
      separate: () => Promise.resolve("null"),
      typeOf: () => null,
      transact: async (body) => (await this.#engine.transact(body)).value,
      nowMs: () => 0,
    },
    new Files({ engine: this.#engine, blobs: new MemoryBlobs(), cloudUrl: "" }),
  );

  async syscall(op: string): Promise<boolean> {
    return (
      (await this.#isKnown((execution) => this.#host.syscall(execution, op, {}))) ||
      (await this.#isKnown((execution) => this.#host.asyncSyscall(execution, op, {})))
    );
  }

  async jsSyscall(op: string): Promise<boolean> {
    return await this.#isKnown((execution) => this.#host.jsSyscall(execution, op, {}));
  }

  async #isKnown(ask: Ask): Promise<boolean> {
    for (const kind of KINDS) {
      const tx = kind === "action" ? null : this.#engine.begin();
      try {
        await ask(this.#execution(kind, tx));
        return true;
      } catch (error) {
        // Any other complaint is about the arguments, of which there are none.
        if (!(error instanceof UserError) || !UNKNOWN.has(error.shortName)) return true;
      } finally {
        tx?.abort();
      }
    }
    return false;
  }

  #execution(kind: ExecutionKind, tx: Execution["tx"]): Execution {
    return new Execution(this.#host, {
      kind,
      tx,
      path: { module: "probe.js", name: "default" },
      componentId: "",
      identity: { kind: "none" },
      request: { ip: null, userAgent: null, requestId: "probe", authToken: null },
      scheduledFunctionId: null,
      nowMs: 0,
      random: () => 0,
      log: new LogLines(),
      depth: 0,
      journal: null,
      httpRequest: null,
    });
  }
}

/** Whether a client may send messages of this type. */
export function isClientMessage(type: string): boolean {
  try {
    parseClientMessage(JSON.stringify({ type }));
    return true;
  } catch (error) {
    return !(error instanceof Error) || !error.message.startsWith("unknown message type");
  }
}

/** Whether somebody at this path answers, be it with a complaint about the request. */
export async function isAnswered(origin: string, path: string): Promise<boolean> {
  for (const method of ["GET", "POST"]) {
    const response = await fetch(`${origin}${path}`, { method });
    const text = await response.text();
    if (!text.includes("UnsupportedEndpoint")) return true;
  }
  return false;
}
