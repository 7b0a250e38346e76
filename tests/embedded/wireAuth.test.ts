/** Who is let in: user tokens by customJwt, and the admin key. */
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import {
  AuthFailure,
  createAuthenticator,
  type Authenticator,
} from "../../embedded/auth/identity.js";
import { findProvider, parseProviders } from "../../embedded/auth/providers.js";

const NOW_MS = Date.parse("2026-01-01T00:00:00Z");
const NOW_S = NOW_MS / 1000;
const ADMIN_KEY = `embedded|${"ab".repeat(32)}`;

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;
let keys: Keys;
let otherKeys: Keys;
let authenticator: Authenticator;

beforeAll(async () => {
  [keys, otherKeys] = await Promise.all([generateKeyPair("RS256"), generateKeyPair("RS256")]);
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "RS256", use: "sig" };
  const jwks = `data:application/json;base64,${Buffer.from(JSON.stringify({ keys: [jwk] })).toString("base64")}`;
  authenticator = createAuthenticator({
    adminKey: ADMIN_KEY,
    providers: () => [
      {
        type: "customJwt",
        issuer: "people.example",
        algorithm: "RS256",
        jwks,
        applicationID: "app",
      },
    ],
    nowMs: () => NOW_MS,
  });
});

const GOOD: JWTPayload = {
  iss: "https://people.example/",
  sub: "ada",
  aud: "app",
  iat: NOW_S,
  exp: NOW_S + 60,
};

const sign = (claims: JWTPayload, kid: string | null = "k1", key = keys.privateKey) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: "RS256", ...(kid === null ? {} : { kid }) })
    .sign(key);

describe("a user's token", () => {
  test("proves issuer, subject and custom claims; nested ones are flattened", async () => {
    const token = await sign({ ...GOOD, role: "admin", org: { id: 7, team: { name: "x" } } });
    expect(await authenticator.user(token)).toEqual({
      kind: "user",
      expiresAtMs: (NOW_S + 60) * 1000,
      claims: {
        issuer: "https://people.example/",
        subject: "ada",
        tokenIdentifier: "https://people.example/|ada",
        role: "admin",
        "org.id": 7,
        "org.team.name": "x",
      },
    });
  });

  test("may be off by five seconds either way", async () => {
    for (const claims of [
      { ...GOOD, exp: NOW_S - 4 },
      { ...GOOD, nbf: NOW_S + 4, iat: NOW_S + 4 },
    ]) {
      expect((await authenticator.user(await sign(claims))).kind).toBe("user");
    }
  });

  const refused: [string, () => Promise<string> | string][] = [
    ["expired", () => sign({ ...GOOD, exp: NOW_S - 6 })],
    ["not valid yet", () => sign({ ...GOOD, nbf: NOW_S + 6 })],
    ["issued in the future", () => sign({ ...GOOD, iat: NOW_S + 6 })],
    ["of another issuer", () => sign({ ...GOOD, iss: "https://other.example" })],
    ["for another application", () => sign({ ...GOOD, aud: "other" })],
    ["for no application", () => sign({ iss: GOOD.iss ?? "", sub: "ada", exp: NOW_S + 60 })],
    ["without kid", () => sign(GOOD, null)],
    ["with an unknown kid", () => sign(GOOD, "k2")],
    ["signed by another key", () => sign(GOOD, "k1", otherKeys.privateKey)],
    ["without sub", () => sign({ iss: GOOD.iss ?? "", aud: "app", exp: NOW_S + 60 })],
    ["without exp", () => sign({ iss: GOOD.iss ?? "", aud: "app", sub: "ada" })],
    ["of algorithm none", () => new UnsecuredJWT(GOOD).encode()],
    [
      "of algorithm none that names a kid",
      () => {
        const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
        return `${part({ alg: "none", kid: "k1" })}.${part(GOOD)}.`;
      },
    ],
    [
      "signed by HS256 with the public key as secret",
      async () => {
        const secret = new TextEncoder().encode(JSON.stringify(await exportJWK(keys.publicKey)));
        return new SignJWT(GOOD).setProtectedHeader({ alg: "HS256", kid: "k1" }).sign(secret);
      },
    ],
    ["cut short", async () => (await sign(GOOD)).slice(0, -10)],
    ["no token at all", () => "hello"],
  ];
  test.each(refused)("%s is refused", async (_name, make) => {
    await expect(authenticator.user(await make())).rejects.toBeInstanceOf(AuthFailure);
  });
});

describe("the Authorization header", () => {
  test("absent → nobody", async () => {
    expect((await authenticator.fromHeader(undefined)).identity).toEqual({ kind: "none" });
  });

  test("the admin key → admin", async () => {
    expect((await authenticator.fromHeader(`Convex ${ADMIN_KEY}`)).identity).toEqual({
      kind: "admin",
      name: "embedded",
      actingAs: null,
    });
  });

  test("the admin key with an identity → admin acting as it", async () => {
    const identity = Buffer.from(JSON.stringify({ issuer: "i", subject: "s" })).toString("base64");
    expect((await authenticator.fromHeader(`Convex ${ADMIN_KEY}:${identity}`)).identity).toEqual({
      kind: "admin",
      name: "embedded",
      actingAs: { issuer: "i", subject: "s", tokenIdentifier: "i|s" },
    });
  });

  test.each([
    `Convex ${ADMIN_KEY.slice(0, -1)}`,
    "Convex ",
    `Convex ${ADMIN_KEY}:not-base64-json`,
    "Basic abc",
    "nothing",
    "Bearer x.y.z",
  ])("%s → refused", async (header) => {
    await expect(authenticator.fromHeader(header)).rejects.toBeInstanceOf(AuthFailure);
  });
});

describe("providers", () => {
  const providers = parseProviders([
    { type: "customJwt", issuer: "https://a.example/", jwks: "data:,x", algorithm: "ES256" },
    {
      type: "customJwt",
      issuer: "b.example",
      jwks: "data:,x",
      algorithm: "RS256",
      applicationID: "1",
    },
    {
      type: "customJwt",
      issuer: "b.example",
      jwks: "data:,y",
      algorithm: "RS256",
      applicationID: "2",
    },
  ]);

  test.each([
    ["https://a.example", [], 0],
    ["a.example", ["anything"], 0],
    ["https://b.example/", ["2"], 2],
    ["https://b.example", ["3", "1"], 1],
    ["http://a.example", [], -1],
    ["https://b.example", [], -1],
  ])("issuer %s for %j → provider %i", (issuer, audience, expected) => {
    const found = findProvider(providers, { issuer, audience });
    expect(found === null ? -1 : providers.indexOf(found)).toBe(expected);
  });

  test("an algorithm other than RS256 and ES256 is refused at the push", () => {
    const hs256 = { type: "customJwt", issuer: "a", jwks: "data:,x", algorithm: "HS256" };
    expect(() => parseProviders([hs256])).toThrow("algorithm");
  });
});
