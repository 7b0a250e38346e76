/** Who is let in, over the real transport: tokens, internal functions, rotation of the signing key. */
import { execFile, spawn } from "node:child_process";
import path from "node:path";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { importJWK, SignJWT, UnsecuredJWT, decodeJwt, type JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readConfig } from "../../cli/config.js";
import { openDeployment, type Deployment } from "../../cli/demo/deployment.js";
import { openSecrets, type Secrets } from "../../cli/demo/secrets.js";
import { findRoot } from "../../cli/root.js";
import { api } from "../../convex/_generated/api.js";
import { copyDeployedData } from "../support/deployedData.js";
import { tempDir } from "../support/tempDir.js";

const root = findRoot();
const environment = readConfig().childEnvironment;
let deployment: Deployment;
let secrets: Secrets;
/** An access token of the first administrator. */
let good: string;

beforeAll(async () => {
  const dataDir = path.join(tempDir("identity"), "data");
  await copyDeployedData(dataDir);
  deployment = await openDeployment({ root, dataDir, port: 0, environment, deploy: false });
  secrets = await openSecrets(dataDir);
  good = (await signIn()).accessToken;
});
afterAll(() => deployment.close());

/** A client that shows this token. */
function client(token?: string): ConvexHttpClient {
  const made = new ConvexHttpClient(deployment.backend.url, { logger: false });
  if (token !== undefined) made.setAuth(token);
  return made;
}

async function signIn() {
  const { username, password } = secrets;
  const reply = await client().action(api.auth.signIn, { username, password, label: "test" });
  if (!reply.ok) throw new Error(reply.code);
  return reply;
}

/** Runs the official CLI against the backend, with a text on its standard input. */
function convex(args: string[], input = ""): Promise<string> {
  const script = path.join(root, "node_modules", "convex", "bin", "main.js");
  const { url, adminKey } = deployment.backend;
  const self = { CONVEX_SELF_HOSTED_URL: url, CONVEX_SELF_HOSTED_ADMIN_KEY: adminKey, CI: "1" };
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], {
      cwd: root,
      env: { ...environment, ...self },
    });
    let text = "";
    child.stdout.on("data", (part: Buffer) => (text += part.toString()));
    child.stderr.on("data", (part: Buffer) => (text += part.toString()));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(text));
    });
    child.stdin.end(input);
  });
}

/** What `fondation keys` prints. */
function keys(args: string[]): Promise<string> {
  const cli = path.join(root, "dist", "cli.mjs");
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [cli, "keys", "new", ...args], (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new Error("fondation keys failed", { cause: error }));
    });
  });
}

describe("4: an access token", () => {
  type Change = { claims?: JWTPayload; kid?: string | null; drop?: string };

  /** The token of a good session, signed by the deployment's own key, with one thing changed. */
  async function forged({ claims = {}, kid, drop }: Change): Promise<string> {
    const jwk = JSON.parse(secrets.userKeys.privateJwk) as { kid: string };
    const all = Object.entries({ ...decodeJwt(good), ...claims }).filter(([name]) => name !== drop);
    const header = kid === null ? {} : { kid: kid ?? jwk.kid };
    return new SignJWT(Object.fromEntries(all))
      .setProtectedHeader({ alg: "RS256", ...header })
      .sign(await importJWK(jwk, "RS256"));
  }

  /** Whether somebody with this token is told who he is. */
  const isLetIn = (token: string) =>
    client(token)
      .query(api.auth.me, {})
      .then(
        () => true,
        () => false,
      );

  const now = Math.floor(Date.now() / 1000);
  const tokens: [string, () => Promise<string>, boolean][] = [
    ["with nothing changed", () => forged({}), true],
    ["that has expired", () => forged({ claims: { exp: now - 60 } }), false],
    ["that is not good yet", () => forged({ claims: { nbf: now + 600 } }), false],
    ["of another issuer", () => forged({ claims: { iss: "https://evil.invalid/user" } }), false],
    [
      "of the issuer for executors",
      () => forged({ claims: { iss: `https://fondation.invalid/executor` } }),
      false,
    ],
    ["for another audience", () => forged({ claims: { aud: "other" } }), false],
    ["of another user", () => forged({ claims: { sub: "nobody" } }), false],
    ["of no session", () => forged({ claims: { sid: "none" } }), false],
    ["of an unknown key", () => forged({ kid: "other" }), false],
    ["that names no key", () => forged({ kid: null }), false],
    ["without a subject", () => forged({ drop: "sub" }), false],
    ["without an end", () => forged({ drop: "exp" }), false],
    [
      "with its claims changed after signing",
      async () => {
        const [head, claims, signature] = (await forged({})).split(".");
        const changed = `${(claims ?? "").slice(0, -4)}AAAA`;
        return [head, changed, signature].join(".");
      },
      false,
    ],
    ["of algorithm none", () => Promise.resolve(new UnsecuredJWT(decodeJwt(good)).encode()), false],
    [
      "signed by HS256 with the public key",
      () => {
        const { kid } = JSON.parse(secrets.userKeys.privateJwk) as { kid: string };
        const secret = new TextEncoder().encode(secrets.userKeys.jwks);
        return new SignJWT(decodeJwt(good)).setProtectedHeader({ alg: "HS256", kid }).sign(secret);
      },
      false,
    ],
  ];
  test.each(tokens)("%s", async (_, make, expected) => {
    expect(await isLetIn(await make())).toBe(expected);
  });
});

test.each([
  ["mutation", "sessions:endAll", {}],
  ["action", "retention:prune", {}],
  ["mutation", "auth:finishSignIn", { username: "admin", passwordHash: "x", label: "" }],
  ["action", "users:emergencyReset", { username: "admin", password: "correct horse battery" }],
  ["query", "audit:exportAll", { cursor: null }],
])(
  "6: the internal %s %s is not there for a client, administrator or not",
  async (kind, name, args) => {
    for (const token of [undefined, good]) {
      const response = await fetch(`${deployment.backend.url}/api/${kind}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ path: name, args, format: "json" }),
      });
      expect(await response.text()).toMatch(/Could not find public function/);
    }
  },
);

test("14: a session that is revoked ends its live subscription", async () => {
  const { accessToken } = await signIn();
  const live = new ConvexClient(deployment.backend.url, { logger: false });
  live.setAuth(() => Promise.resolve(accessToken));
  try {
    const seen: string[] = [];
    const ended = new Promise<Error>((resolve) => {
      live.onUpdate(api.auth.me, {}, ({ username }) => void seen.push(username), resolve);
    });
    const { sid } = decodeJwt(accessToken);
    const own = client(accessToken);
    await expect.poll(() => seen).toEqual([secrets.username]);
    const current = (await own.query(api.sessions.list, {})).find((one) => one.current);
    expect(current?.sessionId).toBe(sid);
    if (current === undefined) throw new Error("no session is current");
    await own.mutation(api.sessions.revoke, { sessionId: current.sessionId });
    expect(String(await ended)).toContain("UNAUTHENTICATED");
  } finally {
    await live.close();
  }
});

describe("rotation of the signing key of people", () => {
  test("soft: tokens signed before are good, and nobody has to sign in", async () => {
    const before = await signIn();
    const keep = (await convex(["env", "get", "AUTH_USER_JWKS"])).trim();
    await convex(["env", "set", "--force"], await keys(["--of", "user", "--keep", keep]));
    expect(await client(before.accessToken).query(api.auth.me, {})).toMatchObject({
      username: secrets.username,
    });
    const { refreshToken } = before;
    const after = await client().mutation(api.auth.refresh, { refreshToken });
    if (!after.ok) throw new Error(after.code);
    const kid = (token: string) =>
      JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()) as unknown;
    expect(kid(after.accessToken)).not.toEqual(kid(before.accessToken));
    expect(await client(after.accessToken).query(api.auth.me, {})).toMatchObject({
      username: secrets.username,
    });
  });

  test("hard: everybody is logged out at once, and signs in anew", async () => {
    const before = await signIn();
    await convex(["env", "set", "--force"], await keys(["--of", "user"]));
    await expect(client(before.accessToken).query(api.auth.me, {})).rejects.toThrow();
    await convex(["run", "sessions:endAll"]);
    const { refreshToken } = before;
    expect(await client().mutation(api.auth.refresh, { refreshToken })).toMatchObject({
      ok: false,
    });
    const { accessToken } = await signIn();
    expect(await client(accessToken).query(api.auth.me, {})).toMatchObject({
      username: secrets.username,
    });
  });
});
