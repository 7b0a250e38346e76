/** Users of an OpenID Connect provider: one on loopback signs, the real backend lets in or not. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { makeFunctionReference } from "convex/server";
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  deploy,
  httpClient,
  startBackend,
  TestClient,
  type BackendProcess,
} from "./wireSupport.js";

const APP = path.join(import.meta.dirname, "fixtures/semantics");
const whoAmI = makeFunctionReference<
  "query",
  Record<string, never>,
  Record<string, unknown> | null
>("bounds:whoAmI");

type Keys = Awaited<ReturnType<typeof generateKeyPair>> & { kid: string; alg: string };

/** A provider whose parts a test may change. */
class Provider {
  keys: Keys[] = [];
  /** What it says of itself; by default the truth. */
  claimedIssuer: string | null = null;
  isDown = false;
  asked: string[] = [];
  readonly #server: Server;
  constructor() {
    this.#server = createServer((request, response) => {
      this.asked.push(request.url ?? "");
      this.#answer(request.url ?? "").then(
        (body) => {
          response.writeHead(body === null ? 500 : 200, { "content-type": "application/json" });
          response.end(JSON.stringify(body));
        },
        () => response.destroy(),
      );
    });
  }
  get issuer(): string {
    // A TCP server that listens has an AddressInfo.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  async #answer(url: string): Promise<unknown> {
    if (this.isDown) return null;
    if (url === "/.well-known/openid-configuration") {
      return { issuer: this.claimedIssuer ?? this.issuer, jwks_uri: `${this.issuer}/keys` };
    }
    const keys = this.keys.map(async ({ publicKey, kid, alg }) => ({
      ...(await exportJWK(publicKey)),
      kid,
      alg,
    }));
    return { keys: await Promise.all(keys) };
  }
  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

const newKeys = async (kid: string, alg: string): Promise<Keys> => ({
  ...(await generateKeyPair(alg)),
  kid,
  alg,
});

const provider = new Provider();
let rsa: Keys;
let backend: BackendProcess;
beforeAll(async () => {
  rsa = await newKeys("rsa", "RS256");
  await provider.start();
  backend = await startBackend({ args: ["--memory"] });
  await backend.postAsAdmin("/api/update_environment_variables", {
    changes: [{ name: "OIDC", value: provider.issuer }],
  });
  const pushed = await deploy(backend, APP);
  if (pushed.code !== 0) throw new Error(pushed.stderr);
});
afterAll(async () => {
  await provider.stop();
});
beforeEach(async () => {
  provider.keys = [rsa];
  provider.claimedIssuer = null;
  provider.isDown = false;
  provider.asked = [];
  // Past what was kept of the provider.
  await backend.postAsAdmin("/control/time", { advanceMs: 61_000 });
});

async function sign(claims: JWTPayload = {}, keys: Keys = rsa): Promise<string> {
  const { nowMs } = (await (
    await backend.postAsAdmin("/control/time", { advanceMs: 0 })
  ).json()) as { nowMs: number };
  const nowS = Math.floor(nowMs / 1_000);
  const all = {
    iss: provider.issuer,
    sub: "ada",
    aud: "app",
    iat: nowS,
    exp: nowS + 600,
    ...claims,
  };
  return new SignJWT(all)
    .setProtectedHeader({ alg: keys.alg, kid: keys.kid })
    .sign(keys.privateKey);
}
const ask = (token: string) => httpClient(backend, token).query(whoAmI, {});

describe("a token of the provider", () => {
  test("is who functions see, standard claims under their Convex names", async () => {
    const token = await sign({
      name: "Ada",
      given_name: "Augusta",
      email_verified: true,
      picture: "http://p.example/a.png",
      role: "admin",
    });
    expect(await ask(token)).toEqual({
      issuer: provider.issuer,
      subject: "ada",
      tokenIdentifier: `${provider.issuer}|ada`,
      name: "Ada",
      givenName: "Augusta",
      emailVerified: true,
      pictureUrl: "http://p.example/a.png",
      role: "admin",
    });
  });

  test("is good over a WebSocket, too", async () => {
    const token = await sign();
    const client = new TestClient(backend.url);
    client.client.setAuth(() => Promise.resolve(token));
    const watch = client.watch(whoAmI, {});
    await watch.until("the user", (identity) => identity?.["subject"] === "ada");
  });

  test("may be signed with EdDSA", async () => {
    const ed = await newKeys("ed", "EdDSA");
    provider.keys = [rsa, ed];
    expect(await ask(await sign({}, ed))).toMatchObject({ subject: "ada" });
  });

  test("with a key that is newer than what is kept makes the keys be fetched anew", async () => {
    await ask(await sign());
    const next = await newKeys("next", "RS256");
    provider.keys = [rsa, next];
    expect(await ask(await sign({}, next))).toMatchObject({ subject: "ada" });
  });

  test("asks the provider once for many", async () => {
    for (const sub of ["a", "b", "c"]) await ask(await sign({ sub }));
    expect(provider.asked).toEqual(["/.well-known/openid-configuration", "/keys"]);
  });
});

describe("refused is", () => {
  const refusals: [string, () => Promise<string>][] = [
    ["another audience", () => sign({ aud: "other" })],
    ["another issuer", () => sign({ iss: "http://127.0.0.1:1" })],
    ["a token that has run out", () => sign({ exp: 1 })],
    ["a token from the future", () => sign({ iat: 4_000_000_000, exp: 4_000_000_600 })],
    ["no subject", () => sign({ sub: "" })],
    ["a key of somebody else", async () => sign({}, { ...(await newKeys("rsa", "RS256")) })],
    ["an algorithm that is not allowed", async () => sign({}, await newKeys("rsa", "PS256"))],
  ];
  test.each(refusals)("%s", async (_what, token) => {
    await expect(ask(await token())).rejects.toThrow(/Could not verify token|No auth provider/);
  });

  test("whoever answers for the provider under another name", async () => {
    provider.claimedIssuer = "http://evil.example";
    await expect(ask(await sign())).rejects.toThrow("says that it is http://evil.example");
  });

  test("everybody while the provider is down, and nobody after it", async () => {
    const token = await sign();
    provider.isDown = true;
    await expect(ask(token)).rejects.toThrow("Could not verify token");
    provider.isDown = false;
    expect(await ask(token)).toMatchObject({ subject: "ada" });
  });
});
