/** The dashboard as people get it: built files, their server, the real backend, a real browser. */
import axe from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, expect } from "vitest";
import { startDashboard } from "../../cli/dashboard/server.js";
import { findRoot } from "../../cli/root.js";
import { api } from "../../convex/_generated/api.js";
import type { Role } from "../../convex/protocol/view.js";
import { openPage } from "../support/browser.js";
import { startStack, type Stack, type StackOptions } from "../support/stack.js";

const servers: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of servers.splice(0)) await close();
});

export type World = { stack: Stack; url: string };

/** A stack, without executors unless asked for, and the server of the dashboard beside it. */
export async function startWorld(options: Partial<StackOptions> = {}): Promise<World> {
  const stack = await startStack({
    script: { steps: [{ text: "Done." }] },
    repositories: [],
    executors: 0,
    ...options,
  });
  const server = await startDashboard({ root: findRoot(), backendUrl: stack.url, port: 0 });
  servers.push(server.close);
  return { stack, url: server.url };
}

export type Person = { username: string; password: string };
export type Look = {
  theme?: "light" | "dark";
  width?: number;
  /** Who is signed in; the first administrator unless told. */
  as?: Person;
};

/**
 * A page of the dashboard in a browser of its own, signed in. What it says to
 * the console as an error, and what its content security policy refuses, is in `complaints`.
 */
export async function openDashboard(
  { stack, url }: World,
  path: string,
  look: Look = {},
): Promise<{ page: Page; complaints: string[] }> {
  const opened = await openSignedOut(url, "/icon.svg", look);
  const session = await stack.session(look.as);
  await opened.page.evaluate((text) => {
    localStorage.setItem("fondation.session", text);
  }, JSON.stringify(session));
  await opened.page.goto(url + path);
  return opened;
}

/** The same with nobody signed in. */
export async function openSignedOut(
  url: string,
  path: string,
  { theme = "light", width = 1280 }: Look = {},
): Promise<{ page: Page; complaints: string[] }> {
  const page = await openPage("about:blank");
  const complaints: string[] = [];
  page.on("console", (message) => {
    // A browser asks for it beside a bare picture, where no page names an icon.
    const isIcon = message.location().url.endsWith("/favicon.ico");
    if (message.type() === "error" && !isIcon) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.setViewportSize({ width, height: 800 });
  await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
  await page.goto(url + path);
  return { page, complaints };
}

/** Keeps the page's mutations from the backend until they are let go; counts them. */
export async function holdMutations(page: Page): Promise<{ sent: string[]; letGo: () => void }> {
  const sent: string[] = [];
  let waiting: (() => void)[] | null = [];
  await page.routeWebSocket(/\/sync$/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => {
      const path = /"type":"Mutation".*?"udfPath":"([^"]+)"/.exec(String(message))?.[1];
      const send = (): void => {
        server.send(message);
      };
      if (path !== undefined) sent.push(path);
      if (path !== undefined && waiting !== null) waiting.push(send);
      else send();
    });
  });
  await page.reload();
  return {
    sent,
    letGo: () => {
      for (const send of waiting ?? []) send();
      waiting = null;
    },
  };
}

/** Runs a mutation that only whoever holds the deployment key may call, for example the roll-up's tick. */
export async function runAsOperator(
  { stack }: World,
  path: string,
  args: Record<string, unknown> = {},
): Promise<void> {
  const response = await fetch(`${stack.url}/api/mutation`, {
    method: "POST",
    headers: { authorization: `Convex ${stack.adminKey}`, "content-type": "application/json" },
    body: JSON.stringify({ path, args, format: "json" }),
  });
  const reply = (await response.json()) as { status: string };
  if (reply.status !== "success") throw new Error(`${path}: ${JSON.stringify(reply)}`);
}

/** A new user with this role, to be signed in as. */
export async function addPerson({ stack }: World, username: string, role: Role): Promise<Person> {
  const person = { username, password: "a password that is long" };
  await (await stack.administrator()).action(api.users.create, { ...person, role });
  return person;
}

/**
 * What is shown now, dialogs, menus and messages included, in both themes, on a desktop and on a phone:
 * accessible, and no wider than the screen.
 */
export async function expectAccessibleEverywhere(page: Page): Promise<void> {
  for (const width of [375, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    await expectNoSidewaysScroll(page);
    for (const colorScheme of ["dark", "light"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.locator(`html[data-theme=${colorScheme}]`).waitFor();
      await expectAccessible(page);
    }
  }
}

/** Fails with what axe finds by the rules of WCAG 2.2 AA and its best practices. */
export async function expectAccessible(page: Page): Promise<void> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ""}`),
    );
  });
  expect(found).toEqual([]);
}

/** Fails when the page can be scrolled sideways. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const { inner, scroll } = await page.evaluate(() => ({
    inner: document.documentElement.clientWidth,
    scroll: document.documentElement.scrollWidth,
  }));
  expect(scroll).toBeLessThanOrEqual(inner);
}
