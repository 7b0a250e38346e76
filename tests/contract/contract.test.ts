import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServer, type RunningServer } from "../../embedded/server.js";
import { tempDir } from "../support/tempDir.js";
import { isAnswered, isClientMessage, SyscallProbe } from "./handled.js";
import { askedOfBackend } from "./installedPackage.js";
import { API_PATHS, SYSCALLS, type Unanswered } from "./known.js";

const asked = askedOfBackend();
const probe = new SyscallProbe();
let server: RunningServer;

beforeAll(async () => {
  server = await startServer({
    dataDir: tempDir("contract"),
    isMemory: true,
    isSynced: false,
    host: "127.0.0.1",
    port: 0,
    sitePort: 0,
    hasControl: false,
    log: () => undefined,
  });
});
afterAll(async () => {
  await server.close();
});

type Asking = {
  names: readonly string[];
  isHandled: (name: string) => boolean | Promise<boolean>;
  unanswered: Unanswered;
};

/** Names that nobody handles and no list excuses, and excuses that nothing needs. */
async function breaches({ names, isHandled, unanswered }: Asking) {
  const unhandled: string[] = [];
  for (const name of names) if (!(await isHandled(name))) unhandled.push(name);
  return {
    unhandled: unhandled.filter((name) => !Object.hasOwn(unanswered, name)),
    needless: Object.keys(unanswered).filter((name) => !unhandled.includes(name)),
  };
}

const protocolText = readFileSync(
  path.resolve(import.meta.dirname, "../../embedded/sync/protocol.ts"),
  "utf8",
);
const asking = {
  "calls to the host": {
    names: asked.syscalls,
    isHandled: (name) => probe.syscall(name),
    unanswered: SYSCALLS,
  },
  "calls to the host with objects": {
    names: asked.jsSyscalls,
    isHandled: (name) => probe.jsSyscall(name),
    unanswered: {},
  },
  "messages of the sync protocol": {
    names: asked.messages,
    isHandled: (name) => isClientMessage(name) || protocolText.includes(`"${name}"`),
    unanswered: {},
  },
  "paths of the HTTP API": {
    names: asked.apiPaths,
    isHandled: (name) => isAnswered(server.url, name),
    unanswered: API_PATHS,
  },
} satisfies Record<string, Asking>;

describe.each(Object.entries(asking))("%s in the installed convex package", (_title, one) => {
  test("were found", () => {
    expect(one.names.length).toBeGreaterThan(3);
  });

  test("are handled, or listed with a reason; nothing is listed in vain", async () => {
    expect(await breaches(one)).toEqual({ unhandled: [], needless: [] });
  });

  test("an unknown one and a needless excuse are found", async () => {
    const found = await breaches({
      ...one,
      names: [...one.names, "/api/planted"],
      unanswered: { ...one.unanswered, "/api/needless": "planted" },
    });
    expect(found).toEqual({ unhandled: ["/api/planted"], needless: ["/api/needless"] });
  });
});
