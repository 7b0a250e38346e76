/** Arriving: set-up, sign-in, the guards of the routes, and what the server sends. */
import { Secret, TOTP } from "otpauth";
import { beforeAll, describe, expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { waitFor } from "../support/waitFor.js";
import {
  expectAccessibleEverywhere,
  expectNoSidewaysScroll,
  openDashboard,
  openSignedOut,
  startWorld,
  type World,
} from "./support.js";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});

describe("the server", () => {
  test("any address without an extension → the page; a missing file → 404", async () => {
    const page = await fetch(`${world.url}/jobs/whatever?tab=log`);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('<div id="root">');
    expect((await fetch(`${world.url}/assets/none.js`)).status).toBe(404);
    expect((await fetch(`${world.url}/..%2f..%2fpackage.json`)).status).toBe(404);
  });

  test("tells where the backend is, and lets the page talk to nobody else", async () => {
    const config = await fetch(`${world.url}/config.json`);
    expect(await config.json()).toEqual({ backendUrl: world.stack.url });
    const policy = config.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`connect-src 'self' ${world.stack.url} ws://`);
    expect(policy).not.toContain("unsafe");
  });
});

describe("signing in", () => {
  test("a wrong password → one sentence; the right one → the page that was asked for", async () => {
    const { page } = await openSignedOut(world.url, "/jobs?state=failed");
    const { username, password } = await world.stack.credentials();
    await page.getByLabel("Name").fill(username);
    await page.getByLabel("Password").fill("certainly not it");
    await page.keyboard.press("Enter");
    await page.getByText("Name or password is wrong").waitFor();
    await page.getByLabel("Password").fill(password);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
    expect(new URL(page.url()).search).toBe("?state=failed");
  });

  test("an address elsewhere → never gone to", async () => {
    const { page } = await openSignedOut(world.url, "/sign-in?to=//elsewhere.invalid/");
    const { username, password } = await world.stack.credentials();
    await page.getByLabel("Name").fill(username);
    await page.getByLabel("Password").fill(password);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
    expect(page.url()).toBe(`${world.url}/`);
  });

  test("an account with one-time codes → asked for one", async () => {
    const administrator = await world.stack.administrator();
    const [username, password] = ["tara", "a password that is long"];
    await administrator.action(api.users.create, { username, password, role: "viewer" });
    const { ConvexHttpClient } = await import("convex/browser");
    const tara = new ConvexHttpClient(world.stack.url, { logger: false });
    const reply = await tara.action(api.auth.signIn, { username, password });
    if (!reply.ok) throw new Error(reply.code);
    tara.setAuth(reply.accessToken);
    const { seed } = await tara.mutation(api.auth.totpBegin, {});
    const totp = new TOTP({ secret: Secret.fromBase32(seed) });
    const confirmed = await tara.mutation(api.auth.totpConfirm, { code: totp.generate() });
    if (!confirmed.ok) throw new Error(confirmed.message);
    const { page } = await openSignedOut(world.url, "/");
    await page.getByLabel("Name").fill(username);
    await page.getByLabel("Password").fill(password);
    await page.keyboard.press("Enter");
    // A recovery code: one-time codes of this half minute are used up.
    await page.getByLabel("Code of your authenticator app").fill(confirmed.recoveryCodes[0] ?? "");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  });

  test("set-up with a token that is not the deployment's → its sentence", async () => {
    const { page } = await openSignedOut(world.url, "/set-up#token=guessed");
    expect(await page.getByLabel("Set-up token").inputValue()).toBe("guessed");
    await page.getByLabel("Name of the first administrator").fill("eve");
    await page.getByLabel("Password").fill("a password that is long");
    await page.keyboard.press("Enter");
    await page.getByText("The set-up token is not that of SETUP_TOKEN.").waitFor();
    await expectAccessibleEverywhere(page);
  });

  test("signing out → the session ends at the backend, and in other tabs", async () => {
    const { page } = await openDashboard(world, "/");
    const other = await page.context().newPage();
    await other.goto(`${world.url}/jobs`);
    await other.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
    const token = await page.evaluate(() => localStorage.getItem("fondation.session"));
    await page.getByRole("button", { name: /administrator/ }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in to Fondation" }).waitFor();
    await other.getByRole("heading", { name: "Sign in to Fondation" }).waitFor();
    const { ConvexHttpClient } = await import("convex/browser");
    const client = new ConvexHttpClient(world.stack.url, { logger: false });
    const { refreshToken } = JSON.parse(token ?? "{}") as { refreshToken: string };
    const reply = await client.mutation(api.auth.refresh, { refreshToken });
    expect(reply).toEqual({ ok: false, code: "UNAUTHENTICATED" });
  });

  test("an access token that has ended → renewed without a word", async () => {
    const { page, complaints } = await openDashboard(world, "/icon.svg");
    await page.evaluate(() => {
      const name = "fondation.session";
      const session = JSON.parse(localStorage.getItem(name) ?? "{}") as Record<string, unknown>;
      localStorage.setItem(name, JSON.stringify({ ...session, expiresAt: 0 }));
    });
    await page.goto(`${world.url}/jobs`);
    await page.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
    await waitFor("a new token to be kept", () =>
      page.evaluate(() => {
        const text = localStorage.getItem("fondation.session") ?? "{}";
        return (JSON.parse(text) as { expiresAt: number }).expiresAt > 0;
      }),
    );
    expect(complaints).toEqual([]);
  });
});

describe("the frame of every page", () => {
  test("check 2: the page of sign-in by axe in both themes, on a desktop and a phone", async () => {
    const { page } = await openSignedOut(world.url, "/sign-in");
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await expectAccessibleEverywhere(page);
  });

  test("check 20: a phone: nothing scrolls sideways, and the bar at the bottom leads on", async () => {
    const { page } = await openDashboard(world, "/", { width: 375 });
    await page
      .getByRole("navigation", { name: "Main" })
      .getByRole("link", { name: "Jobs" })
      .click();
    await page.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
    await expectNoSidewaysScroll(page);
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("dialog").waitFor();
    await expectAccessibleEverywhere(page);
  });

  test("check 12: the backend crashes → the page comes back with it, without a reload", async () => {
    const { page } = await openDashboard(world, "/jobs");
    await page.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
    await world.stack.crashBackend();
    const administrator = await world.stack.administrator();
    const submission = { repository: "octo/hello", prompt: "Said after the crash" };
    await administrator.mutation(api.jobs.submit, submission);
    await page.getByText("Said after the crash").or(page.getByText("1 new job")).first().waitFor();
  });

  test("check 23: no page at an address → a designed one with a way back", async () => {
    const { page } = await openDashboard(world, "/nowhere");
    await page.getByText("There is no page at this address").waitFor();
    await page.getByRole("link", { name: "To the overview" }).click();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  });
});
