/** ConvexReactClient in a real browser, against the real process. */
import path from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { openPage, servePage } from "../support/browser.js";
import { waitFor } from "../support/waitFor.js";
import {
  httpClient,
  rows,
  startBackend,
  startDeployed,
  type BackendProcess,
} from "./wireSupport.js";

const PAGED_ROWS = 25;
/** A browser and a push, on a machine that may be busy. */
const SET_UP_MS_MAX = 120_000;

let backend: BackendProcess;
let page: Page;
beforeAll(async () => {
  backend = await startDeployed();
  const http = httpClient(backend);
  await http.mutation(rows.add, { tag: "browser", n: 1 });
  for (let n = 0; n < PAGED_ROWS; n += 1) await http.mutation(rows.add, { tag: "pages", n });
  const address = await servePage(path.join(import.meta.dirname, "browser/page.ts"));
  page = await openPage(`${address}/?url=${encodeURIComponent(backend.url)}`);
}, SET_UP_MS_MAX);

const textOf = (id: string) => page.locator(`#${id}`).innerText();
const shows = (id: string, text: string) =>
  waitFor(`#${id} to show ${text}`, async () => (await textOf(id)) === text);
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => from + at).join(" ");

test("useQuery shows what is there, and what somebody else adds", async () => {
  await shows("list", "1");
  await httpClient(backend).mutation(rows.add, { tag: "browser", n: 2 });
  await shows("list", "1 2");
});

test("useMutation: its optimistic row shows first, then the real one, with no gap between", async () => {
  await page.click("#add");
  await shows("list", "1 2 100");
  const rendered = await page.evaluate(() => window.rendered);
  expect(rendered.slice(-3)).toEqual(["1 2", "1 2 100?", "1 2 100"]);
});

test("usePaginatedQuery loads page after page, and pages stay gapless when rows come and go", async () => {
  await shows("status", "CanLoadMore");
  expect(await textOf("page")).toBe(numbers(0, 10));
  await page.click("#more");
  await shows("page", numbers(0, 20));
  await page.click("#more");
  await shows("status", "Exhausted");
  expect(await textOf("page")).toBe(numbers(0, PAGED_ROWS));
  await httpClient(backend).mutation(rows.add, { tag: "pages", n: PAGED_ROWS });
  await shows("page", numbers(0, PAGED_ROWS + 1));
});

test("setAuth: functions see who signed in, and nobody after signing out", async () => {
  const keys = await generateKeyPair("RS256");
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "RS256", use: "sig" };
  const jwks = `data:application/json;base64,${Buffer.from(JSON.stringify({ keys: [jwk] })).toString("base64")}`;
  const changes = [{ name: "AUTH_JWKS", value: jwks }];
  expect((await backend.postAsAdmin("/api/update_environment_variables", { changes })).ok).toBe(
    true,
  );
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: "RS256", kid: "k1" })
    .setIssuer("https://people.example")
    .setAudience("wire")
    .setSubject("ada")
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(keys.privateKey);
  await shows("who", "nobody");
  await page.evaluate((signed) => {
    window.signIn(signed);
  }, token);
  await shows("who", "ada");
  await page.evaluate(() => {
    window.signOut();
  });
  await shows("who", "nobody");
});

test("after the backend was killed and started again the page goes on, and a click meanwhile counts once", async () => {
  const before = await textOf("list");
  await backend.end("SIGKILL");
  await waitFor("the page to notice", async () => (await textOf("connection")).startsWith("false"));
  await page.click("#add");
  await shows("list", `${before} 101?`);
  const again = await startBackend({
    dataDir: backend.dataDir,
    args: ["--port", String(backend.port)],
  });
  await shows("list", `${before} 101`);
  await httpClient(again).mutation(rows.add, { tag: "browser", n: 3 });
  await shows("list", `${before} 101 3`);
});
