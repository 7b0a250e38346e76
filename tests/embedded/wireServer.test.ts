/** The process itself, its edges, and clients that break the rules. */
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { statSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import path from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";
import {
  httpClient,
  rows,
  runCommand,
  startBackend,
  startDeployed,
  TestClient,
  type BackendProcess,
  type Frame,
} from "./wireSupport.js";

let backend: BackendProcess;
beforeAll(async () => {
  backend = await startDeployed({ args: ["--memory"] });
});

describe("start and stop", () => {
  test("one JSON line says where it listens; folder and key are the owner's alone", async () => {
    const own = await startBackend();
    const ready: unknown = JSON.parse(own.readyLine);
    expect(ready).toEqual({
      url: own.url,
      siteUrl: own.siteUrl,
      adminKeyFile: path.join(own.dataDir, "adminKey"),
      pid: own.child.pid,
    });
    expect(statSync(own.dataDir).mode & 0o777).toBe(0o700);
    expect(statSync(path.join(own.dataDir, "adminKey")).mode & 0o777).toBe(0o600);
    expect(own.adminKey).toMatch(/^embedded\|[0-9a-f]{64}$/);
  });

  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s → exit 0, and the next start finds the same key",
    async (signal) => {
      const first = await startBackend();
      expect(await first.end(signal)).toBe(0);
      const second = await startBackend({ dataDir: first.dataDir });
      expect(second.adminKey).toBe(first.adminKey);
      expect(await second.end("SIGTERM")).toBe(0);
    },
  );

  test("a second process on the same folder is refused", async () => {
    const first = await startBackend();
    const { code, stderr, stdout } = await runCommand(["--data", first.dataDir, "--port", "0"]);
    expect([code, stdout]).toEqual([69, ""]);
    expect(stderr).toMatch(/^The data folder .* is in use by process \d+/m);
  });

  test("a port in use → one sentence and exit 69, no data folder made", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    // A listening TCP server has an AddressInfo.
    const port = String((holder.address() as AddressInfo).port);
    const dataDir = path.join(tempDir("port"), "data");
    const { code, stderr } = await runCommand(["--data", dataDir, "--port", port]);
    holder.close();
    expect(code).toBe(69);
    expect(stderr).toContain(`Port ${port} on 127.0.0.1 is in use`);
    expect(() => statSync(dataDir)).toThrow("ENOENT");
  });

  test.each([
    [[], "--data is missing"],
    [["--data", "x", "--nonsense"], "--nonsense"],
    [["--data", "x", "--port", "seventy"], "--port must be a number"],
    [["--data", "x", "extra"], "extra"],
  ])("%j → exit 64", async (args, says) => {
    const { code, stderr } = await runCommand(args);
    expect(code).toBe(64);
    expect(stderr).toContain(says);
  });

  test("a host beyond this machine is served with a warning", async () => {
    const open = await startBackend({ args: ["--host", "0.0.0.0"] });
    await waitFor("the warning", () => open.stderr.includes("trusted code"));
    expect(open.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
  });

  test("it leaves no process behind", async () => {
    const own = await startBackend();
    await own.end("SIGTERM");
    const listed = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
    expect(listed).not.toContain(own.dataDir);
  });
});

describe("HTTP", () => {
  test("the json format shows plain values; GET works too", async () => {
    await httpClient(backend).mutation(rows.add, { tag: "plain", n: 1 });
    const search = new URLSearchParams({
      path: "rows:list",
      args: '{"tag":"plain"}',
      format: "json",
    });
    const answer = await fetch(`${backend.url}/api/query?${search.toString()}`);
    expect(await answer.json()).toMatchObject({
      status: "success",
      value: [{ tag: "plain", n: 1 }],
    });
  });

  test("/api/run names the function in the path", async () => {
    const answer = await backend.post("/api/run/rows/add", { args: { tag: "run", n: 1 } });
    expect(await answer.json()).toMatchObject({ status: "success" });
  });

  test("a page of another origin may call, with credentials", async () => {
    const answer = await fetch(`${backend.url}/api/query`, {
      method: "OPTIONS",
      headers: { origin: "https://page.example", "access-control-request-headers": "x-a" },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://page.example");
    expect(answer.headers.get("access-control-allow-headers")).toBe("x-a");
  });

  test.each([
    ["not json", "{"],
    ["no path", "{}"],
    ["arguments of a strange form", '{"path":"rows:list","args":7}'],
  ])("%s → 400 with code and message", async (_name, body) => {
    const answer = await backend.post("/api/query", body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({
      code: expect.any(String) as string,
      message: expect.any(String) as string,
    });
  });

  test("a body over the limit → 413", async () => {
    const answer = await backend.post("/api/query", "x".repeat(21 * 1024 * 1024)).catch(() => null);
    // The server answers and stops reading; a client that still writes may see only the cut.
    expect([413, null]).toContain(answer?.status ?? null);
    expect((await fetch(`${backend.url}/version`)).status).toBe(200);
  });

  test("deploy endpoints need the admin key", async () => {
    for (const headers of [{}, { authorization: "Convex embedded|00" }]) {
      const answer = await backend.post(
        "/api/update_environment_variables",
        { changes: [] },
        headers,
      );
      expect(answer.status).toBe(403);
    }
  });

  test("HTTP actions answer on the site origin and under /http", async () => {
    for (const origin of [backend.siteUrl, `${backend.url}/http`]) {
      const answer = await fetch(`${origin}/echo`, { method: "POST", body: "hello" });
      expect([answer.status, answer.headers.get("x-kind"), await answer.text()]).toEqual([
        201,
        "echo",
        "HELLO",
      ]);
    }
    expect((await fetch(`${backend.siteUrl}/nothing`)).status).toBe(404);
  });
});

describe("setAuth", () => {
  const sign = async () => {
    const keys = await generateKeyPair("RS256");
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "RS256" };
    const jwks = `data:application/json,${encodeURIComponent(JSON.stringify({ keys: [jwk] }))}`;
    const changes = [{ name: "AUTH_JWKS", value: jwks }];
    const set = await backend.postAsAdmin("/api/update_environment_variables", { changes });
    expect(set.status).toBe(200);
    return (subject: string, expiresIn = 3_600) =>
      new SignJWT({ role: "viewer" })
        .setProtectedHeader({ alg: "RS256", kid: "k1" })
        .setIssuer("https://people.example")
        .setAudience("wire")
        .setSubject(subject)
        .setIssuedAt()
        .setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn)
        .sign(keys.privateKey);
  };

  test("a good token is who functions see, over WebSocket, HTTP and HTTP actions", async () => {
    const token = await (await sign())("ada");
    const one = new TestClient(backend.url);
    const watch = one.watch(rows.whoAmI, {});
    await watch.until("nobody", (value) => value === null);
    one.client.setAuth(() => Promise.resolve(token));
    const seen = await watch.until("somebody", (value) => value !== null);
    expect(seen).toMatchObject({
      subject: "ada",
      role: "viewer",
      tokenIdentifier: "https://people.example|ada",
    });
    expect(await httpClient(backend, token).query(rows.whoAmI, {})).toEqual(seen);
    const who = await fetch(`${backend.siteUrl}/who`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(await who.json()).toEqual({ subject: "ada" });
  });

  test("a bad token: the client hears that it is not authenticated; HTTP answers 401", async () => {
    const bad = `${await (await sign())("eve")}x`;
    const one = new TestClient(backend.url);
    const heard: boolean[] = [];
    one.client.setAuth(
      () => Promise.resolve(bad),
      (isAuthenticated) => heard.push(isAuthenticated),
    );
    await waitFor("the refusal", () => heard.includes(false));
    expect(heard).not.toContain(true);
    const answer = await backend.post(
      "/api/query",
      { path: "rows:whoAmI", args: {} },
      { authorization: `Bearer ${bad}` },
    );
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: "Unauthenticated" }]);
    const site = await fetch(`${backend.siteUrl}/who`, {
      headers: { authorization: `Bearer ${bad}` },
    });
    expect(await site.json()).toEqual({ subject: null });
  });

  test("a token that ran out is noticed at the next update, and asks for a new one", async () => {
    const own = await startDeployed({ args: ["--memory"] });
    const shared = backend;
    backend = own;
    const signFor = await sign();
    backend = shared;
    const raw = await openRaw(own.url);
    const token = await signFor("ada", 60);
    raw.send(connect());
    raw.send({ type: "Authenticate", tokenType: "User", baseVersion: 0, value: token });
    raw.send(added({ queryId: 0, path: "rows:list", args: { tag: "expiry" } }));
    await raw.next("Transition", (frame) => (frame["modifications"] as unknown[]).length > 0);
    await own.postAsAdmin("/control/time", { advanceMs: 120_000 });
    await httpClient(own).mutation(rows.add, { tag: "expiry", n: 1 });
    expect(await raw.next("AuthError")).toMatchObject({ authUpdateAttempted: false });
    await raw.closed;
  });
});

const connect = () => ({
  type: "Connect",
  sessionId: randomUUID(),
  connectionCount: 0,
  lastCloseReason: null,
  clientTs: Date.now(),
});
const added = (query: { queryId: number; path: string; args: unknown }, baseVersion = 0) => ({
  type: "ModifyQuerySet",
  baseVersion,
  newVersion: baseVersion + 1,
  modifications: [{ type: "Add", queryId: query.queryId, udfPath: query.path, args: [query.args] }],
});

/** A socket without a client's manners. */
async function openRaw(url: string) {
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/1.48.0/sync`);
  const frames: Frame[] = [];
  socket.on("message", (data: Buffer) => {
    frames.push(JSON.parse(data.toString()) as Frame);
  });
  socket.on("error", () => undefined);
  const closed = once(socket, "close");
  await once(socket, "open");
  return {
    closed,
    send: (message: unknown) => {
      socket.send(typeof message === "string" ? message : JSON.stringify(message));
    },
    next: (type: string, fits: (frame: Frame) => boolean = () => true) =>
      waitFor(`a ${type}`, () => frames.find((frame) => frame.type === type && fits(frame))),
  };
}

describe("a client that breaks the protocol is cut off, and nobody else", () => {
  const query = { queryId: 0, path: "rows:list", args: { tag: "witness" } };
  const cases: [string, unknown[]][] = [
    ["text that is not JSON", ["hello"]],
    ["a message before Connect", [added(query)]],
    ["Connect twice", [connect(), connect()]],
    ["an unknown message", [connect(), { type: "Nonsense" }]],
    ["a message without its fields", [connect(), { type: "Mutation" }]],
    ["a query set based on another version", [connect(), added(query, 3)]],
    ["the same query twice", [connect(), added(query), added(query, 1)]],
    [
      "removal of a query that is not there",
      [connect(), { ...added(query), modifications: [{ type: "Remove", queryId: 9 }] }],
    ],
    [
      "an identity based on another version",
      [connect(), { type: "Authenticate", tokenType: "None", baseVersion: 4 }],
    ],
    ["a message over the size limit", [connect(), "x".repeat(21 * 1024 * 1024)]],
  ];

  test.each(cases)("%s → FatalError", async (_name, messages) => {
    const witness = new TestClient(backend.url);
    const watch = witness.watch(rows.list, { tag: "witness" });
    const { length } = await watch.until("the list", () => true);
    const raw = await openRaw(backend.url);
    for (const message of messages) raw.send(message);
    expect((await raw.next("FatalError"))["error"]).toBeTypeOf("string");
    await raw.closed;
    await witness.client.mutation(rows.add, { tag: "witness", n: length });
    await watch.until("the new row", (value) => value.length === length + 1);
  });

  test("a wrong admin key → AuthError, then the socket is closed", async () => {
    const raw = await openRaw(backend.url);
    raw.send(connect());
    raw.send({ type: "Authenticate", tokenType: "Admin", baseVersion: 0, value: "embedded|00" });
    expect(await raw.next("AuthError")).toMatchObject({ authUpdateAttempted: true });
    await raw.closed;
  });

  test("a client that has seen later commits than there are is turned away", async () => {
    const raw = await openRaw(backend.url);
    raw.send({ ...connect(), maxObservedTimestamp: "/////////38=" });
    const [code] = (await raw.closed) as [number];
    expect(code).toBe(1011);
  });
});
