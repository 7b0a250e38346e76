/** Clients and callers without manners: only they are hurt. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { waitFor } from "../support/waitFor.js";
import { fireSettings } from "./fireRandom.js";
import { httpClient, rows, startDeployed, TestClient, type BackendProcess } from "./wireSupport.js";

const RUNS_BOUNDED = 120;
const MIB = 1024 * 1024;
/** Of 8 MiB each; and how many of them in a row must be left untaken until it counts as stalled. */
const MESSAGES_SENT = 100;
const STALLED_MAX = 12;
/** What the process may grow by while it is fed. */
const GROWTH_BYTES_MAX = 400 * MIB;
const { seed, cycles: numRuns } = fireSettings(RUNS_BOUNDED);
const generated = { seed, numRuns };

let backend: BackendProcess;
let witness: TestClient;
let witnessed = 0;
beforeAll(async () => {
  backend = await startDeployed({ args: ["--memory"] });
  witness = new TestClient(backend.url);
});

/** A well-mannered client on a connection of its own still gets its answers. */
async function othersAreServed(): Promise<void> {
  expect(backend.child.exitCode, backend.stderr).toBeNull();
  const n = (witnessed += 1);
  const watch = witness.watch(rows.list, { tag: "witness" });
  await witness.client.mutation(rows.add, { tag: "witness", n });
  await watch.until("the witness's row", (value) => value.some((row) => row.n === n));
}

const connect = () => ({
  type: "Connect",
  sessionId: randomUUID(),
  connectionCount: 0,
  lastCloseReason: null,
});

type Ended = { code: number; fatal: string | null; answers: number };

/** Sends everything, then waits until the server has cut it off or answered the last, good mutation. */
async function feed(messages: readonly (string | Buffer)[]): Promise<Ended> {
  const socket = new WebSocket(`${backend.url.replace("http", "ws")}/api/1.48.0/sync`);
  const ended: Ended = { code: 0, fatal: null, answers: 0 };
  const isOver = new Promise<void>((resolve) => {
    socket.on("close", (code) => {
      ended.code = code;
      resolve();
    });
    socket.on("message", (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { type: string; error?: string };
      if (frame.type === "FatalError") ended.fatal = frame.error ?? "";
      if (frame.type !== "MutationResponse") return;
      ended.answers += 1;
      const { requestId } = frame as unknown as { requestId: number };
      if (requestId === LAST_REQUEST) resolve();
    });
  });
  // The close that follows an error says all there is to know.
  socket.on("error", () => undefined);
  await once(socket, "open").catch((error: unknown) => {
    throw new Error(`it does not listen: ${backend.stderr.slice(-2_000)}`, { cause: error });
  });
  for (const message of messages) socket.send(message, { binary: typeof message !== "string" });
  socket.send(JSON.stringify(goodMutation(LAST_REQUEST)));
  await isOver;
  socket.terminate();
  return ended;
}

const LAST_REQUEST = 999_999;
const goodMutation = (requestId: number) => ({
  type: "Mutation",
  requestId,
  udfPath: "rows:say",
  args: [{ text: "hello" }],
});

const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(-1, 0.5, 2 ** 53, 2 ** 32, null, "", "x", [], {}, true, 1e308),
  fc.constantFrom(
    { $integer: "x" },
    { $float: 1 },
    { $bytes: "*" },
    { $undefined: null },
    { __proto__: 1 },
    [[[[[[]]]]]],
  ),
);
const sane = {
  Connect: () => connect(),
  ModifyQuerySet: () => ({
    type: "ModifyQuerySet",
    baseVersion: 0,
    newVersion: 1,
    modifications: [{ type: "Add", queryId: 1, udfPath: "rows:list", args: [{ tag: "fuzz" }] }],
  }),
  Mutation: () => goodMutation(1),
  Action: () => ({ ...goodMutation(2), type: "Action", udfPath: "rows:addTwice" }),
  Authenticate: () => ({ type: "Authenticate", tokenType: "None", baseVersion: 0 }),
  Event: () => ({ type: "Event", eventType: "ClientConnect", event: {} }),
};
const kinds = Object.values(sane);

/** A good message with one of its fields, at any depth, replaced, removed or added. */
const malformed = fc
  .record({
    make: fc.constantFrom(...kinds),
    at: fc.nat(),
    how: fc.constantFrom("replace" as const, "remove" as const, "add" as const),
    value: odd,
    name: fc.string(),
  })
  .map(({ make, at, how, value, name }) => {
    const message: unknown = structuredClone(make());
    const places = fieldsOf(message);
    const place = places[at % places.length];
    if (place === undefined) return message;
    if (how === "remove") Reflect.deleteProperty(place.holder, place.name);
    else Reflect.set(place.holder, how === "add" ? name : place.name, value);
    return message;
  });

type Place = { holder: object; name: string };
function fieldsOf(value: unknown): Place[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    { holder: value, name },
    ...fieldsOf(inner),
  ]);
}

const frame = fc.oneof(
  { weight: 6, arbitrary: malformed.map((message) => JSON.stringify(message)) },
  { weight: 3, arbitrary: fc.constantFrom(...kinds).map((make) => JSON.stringify(make())) },
  { weight: 2, arbitrary: fc.string() },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)) },
);

describe("sync messages", () => {
  test(`generated, malformed and out of order → a FatalError, a close, or an answer (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(frame, { minLength: 1, maxLength: 6 }),
        async (isConnected, frames) => {
          const first = isConnected ? [JSON.stringify(connect())] : [];
          const { code, fatal, answers } = await feed([...first, ...frames]);
          // Never 1011: that would be our fault, and the client would come back with the same.
          if (answers === 0) expect([1002, 1003, 1007, 1008, 1009]).toContain(code);
          if (code === 1002 && fatal !== null) expect(fatal.length).toBeLessThan(1_000);
        },
      ),
      generated,
    );
    await othersAreServed();
    expect(backend.stderr).not.toMatch(/"event":"(sync\.)?fault"/);
  });

  test("arguments nested beyond any stack → that call fails, nothing else", async () => {
    const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    const text = (type: string) =>
      `{"type":"${type}","requestId":1,"udfPath":"rows:say","args":[{"text":${deep}}]}`;
    for (const type of ["Mutation", "Action"]) {
      const ended = await feed([JSON.stringify(connect()), text(type)]);
      expect(ended.code === 1002 || ended.answers > 0).toBe(true);
    }
    const answer = await backend.post(
      "/api/mutation",
      `{"path":"rows:say","args":{"text":${deep}}}`,
    );
    expect([200, 400]).toContain(answer.status);
    await othersAreServed();
  });

  test("a long unknown type is not sent back whole", async () => {
    const type = "x".repeat(5 * MIB);
    const { fatal } = await feed([JSON.stringify(connect()), JSON.stringify({ type })]);
    expect(fatal?.length).toBeLessThan(1_000);
  });
});

describe("memory", () => {
  const memoryOf = () => {
    const status = readFileSync(`/proc/${backend.child.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  };

  test("a client that sends faster than it is served, or never reads, is made to wait", async () => {
    const before = memoryOf();
    const socket = new WebSocket(`${backend.url.replace("http", "ws")}/api/1.48.0/sync`);
    socket.on("error", () => undefined);
    await once(socket, "open");
    socket.send(JSON.stringify(connect()));
    // It does not read from here on.
    socket.pause();
    const text = "y".repeat(8 * MIB);
    let most = 0;
    let stalled = 0;
    for (let requestId = 0; requestId < MESSAGES_SENT && stalled < STALLED_MAX; requestId += 1) {
      const message = JSON.stringify({ ...goodMutation(requestId), args: [{ text }] });
      const sent = new Promise<boolean>((resolve) => {
        socket.send(message, (error) => {
          resolve(error === undefined);
        });
      });
      // Once the server reads no more, a write does not end.
      const isTaken = await Promise.race([sent, othersAreServed().then(() => false)]);
      stalled = isTaken ? 0 : stalled + 1;
      most = Math.max(most, memoryOf());
    }
    socket.terminate();
    expect(most - before).toBeLessThan(GROWTH_BYTES_MAX);
    await othersAreServed();
  });
});

describe("HTTP", () => {
  const body = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .record({ path: odd, args: odd, format: odd }, { requiredKeys: [] })
      .map((v) => JSON.stringify(v)),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  );
  const encoding = fc.constantFrom("identity", "br", "gzip", "deflate", "zstd", "br, gzip", "");
  const endpoint = fc.constantFrom(
    "/api/query",
    "/api/mutation",
    "/api/action",
    "/api/function",
    "/api/run/rows/list",
    "/api/run/%zz",
    "/api/query_at_ts",
    "/api/query_batch",
    "/api/deploy2/start_push",
    "/api/deploy2/finish_push",
    "/api/deploy2/wait_for_schema",
    "/api/update_environment_variables",
    "/control/time",
    "/api/nothing",
  );

  test(`generated bodies in any encoding → an answer below 500 (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          at: endpoint,
          content: body,
          how: encoding,
          isPacked: fc.boolean(),
          isAdmin: fc.boolean(),
        }),
        async ({ at, content, how, isPacked, isAdmin }) => {
          const pack = how === "br" ? brotliCompressSync : gzipSync;
          const answer = await fetch(`${backend.url}${at}`, {
            method: "POST",
            headers: {
              "content-type": "application/json",
              ...(how === "" ? {} : { "content-encoding": how }),
              ...(isAdmin ? { authorization: `Convex ${backend.adminKey}` } : {}),
            },
            body: new Uint8Array(isPacked ? pack(content) : Buffer.from(content)),
          });
          expect(answer.status, `${at}: ${await answer.text()}`).toBeLessThan(500);
        },
      ),
      generated,
    );
    await othersAreServed();
  });

  test("a small body that unpacks to a huge one → 413", async () => {
    const bomb = brotliCompressSync(Buffer.alloc(64 * MIB, 0x20), {
      params: { [constants.BROTLI_PARAM_QUALITY]: 1 },
    });
    const answer = await fetch(`${backend.url}/api/query`, {
      method: "POST",
      headers: { "content-encoding": "br" },
      body: new Uint8Array(bomb),
    });
    expect(answer.status).toBe(413);
    await othersAreServed();
  });

  test("a path that is not percent-encoded → 400", async () => {
    const answer = await backend.post("/api/run/%zz", {});
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: "BadUrl" }]);
  });

  test.each([
    [
      "an upgrade to no address",
      "GET // HTTP/1.1",
      "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    ],
    [
      "an upgrade to another path",
      "GET /other HTTP/1.1",
      "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    ],
    [
      "an upgrade without a key",
      "GET /api/1.48.0/sync HTTP/1.1",
      "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    ],
    ["a call to no address", "POST // HTTP/1.1", "Content-Length: 2\r\n"],
    ["a request that is none", "\u0000\u0001", ""],
  ])("%s → refused with a status below 500", async (_name, line, headers) => {
    const socket = connectTcp(backend.port, "127.0.0.1");
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.write(`${line}\r\nHost: localhost\r\n${headers}\r\n{}`);
    await waitFor("an answer", () => text.includes("\r\n"));
    expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
    socket.destroy();
    await othersAreServed();
  });

  test("a connection that is reset in the middle of an upgrade or a body harms nobody", async () => {
    const starts = [
      "GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      "GET /api/1.48.0/sync HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
      'POST /api/mutation HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n{"path":',
      "POST /http/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nhalf",
    ];
    for (const start of [...starts, ...starts, ...starts]) {
      const socket = connectTcp(backend.port, "127.0.0.1");
      await once(socket, "connect");
      await new Promise((resolve) => socket.write(start, resolve));
      socket.resetAndDestroy();
    }
    await othersAreServed();
  });
});

test("after all that an ordinary caller is served", async () => {
  expect(await httpClient(backend).query(rows.whoAmI, {})).toBeNull();
});
