/** What holds for every page: keys, themes, a cut network, addresses that lead nowhere, who may only look. */
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { ConvexHttpClient } from "convex/browser";
import { startDashboard } from "../../cli/dashboard/server.js";
import { findRoot } from "../../cli/root.js";
import { api } from "../../convex/_generated/api.js";
import { layCable } from "../support/cable.js";
import { openPage } from "../support/browser.js";
import { waitFor } from "../support/waitFor.js";
import {
  addPerson,
  expectAccessible,
  expectAccessibleEverywhere,
  expectNoSidewaysScroll,
  openDashboard,
  runAsOperator,
  startWorld,
  type World,
} from "./support.js";

/** Every page, and what its first heading says. */
const PAGES = [
  ["/", "Overview"],
  ["/jobs", "Jobs"],
  ["/jobs/new", "New job"],
  ["/executors", "Executors"],
  ["/metrics", "Metrics"],
  ["/schedules", "Schedules"],
  ["/audit", "Audit"],
  ["/settings", "Settings"],
  ["/settings?tab=people", "Settings"],
  ["/settings?tab=secrets", "Settings"],
  ["/settings?tab=queue", "Settings"],
  ["/settings?tab=budgets", "Settings"],
  ["/settings?tab=alerts", "Settings"],
  ["/settings?tab=retention", "Settings"],
] as const;

let world: World;
let administrator: ConvexHttpClient;
beforeAll(async () => {
  world = await startWorld();
  administrator = await world.stack.administrator();
  const submission = { repository: "octo/hello", prompt: "Wait here" };
  await administrator.mutation(api.jobs.submit, submission);
  await administrator.mutation(api.executors.createEnrolment, { label: "never" });
  await runAsOperator(world, "metrics:tick");
});

async function open(page: Page, address: string, heading: string): Promise<void> {
  await page.goto(world.url + address);
  await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
  await page.locator(".animate-pulse").first().waitFor({ state: "detached" });
}

describe("every page", () => {
  test("check 11: strict policy, no error in the console, and no request to another origin", async () => {
    const { page, complaints } = await openDashboard(world, "/");
    const origins = new Set<string>();
    page.on("request", (request) => origins.add(new URL(request.url()).origin));
    page.on("websocket", (socket) => origins.add(new URL(socket.url()).origin));
    for (const [address, heading] of PAGES) await open(page, address, heading);
    const backend = new URL(world.stack.url);
    expect([...origins].sort()).toEqual(
      [world.url, backend.origin, `ws://${backend.host}`].sort().filter((one) => origins.has(one)),
    );
    expect(origins).toContain(world.url);
    expect(complaints).toEqual([]);
  });

  test("check 20: zoomed to 200 % and to 400 %, nothing scrolls sideways", async () => {
    const { page } = await openDashboard(world, "/");
    for (const [address, heading] of PAGES) {
      await open(page, address, heading);
      for (const zoom of [2, 4]) {
        await page.setViewportSize({ width: 1280 / zoom, height: 1024 / zoom });
        await expectNoSidewaysScroll(page);
      }
      await page.setViewportSize({ width: 1280, height: 800 });
    }
  });

  test("check 22: who may only look sees it, each action says why not, and the backend refuses", async () => {
    const vera = await addPerson(world, "vera", "viewer");
    const { page, complaints } = await openDashboard(world, "/", { as: vera });
    for (const [address, action, role] of [
      ["/", "New job", "operator"],
      ["/jobs", "New job", "operator"],
      ["/jobs/new", "Submit job", "operator"],
      ["/executors", "Enrol an executor", "administrator"],
      ["/schedules", "New schedule", "operator"],
    ] as const) {
      await page.goto(world.url + address);
      const button = page.getByRole("button", { name: action }).first();
      await button.focus();
      expect(await button.getAttribute("aria-disabled")).toBe("true");
      const why = page.getByText(`This needs the role ${role}; yours is viewer.`);
      await why.first().waitFor();
    }
    await open(page, "/metrics", "Metrics");
    await open(page, "/audit", "Audit");
    await page.getByText("Your role may not see the audit").waitFor();
    await expectAccessibleEverywhere(page);
    const client = new ConvexHttpClient(world.stack.url, { logger: false });
    client.setAuth((await world.stack.session(vera)).accessToken);
    const paginationOpts = { numItems: 1, cursor: null };
    for (const call of [
      () => client.mutation(api.executors.createEnrolment, { label: "hers" }),
      () => client.mutation(api.queue.pause, { reason: "because" }),
      () => client.query(api.audit.list, { paginationOpts }),
    ]) {
      await expect(call()).rejects.toMatchObject({ data: { code: "FORBIDDEN" } });
    }
    expect(complaints).toEqual([]);
  });
});

describe("the keyboard alone", () => {
  const focused = (page: Page) =>
    page.evaluate(() => {
      const element = document.activeElement;
      if (element === null) throw new Error("nothing has the focus");
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return { text: element.textContent, outline: `${outlineStyle} ${outlineWidth}` };
    });

  test("check 3: the first stop skips the navigation; each stop after it shows where one is", async () => {
    const { page } = await openDashboard(world, "/jobs");
    await page.getByRole("checkbox").first().waitFor();
    await page.keyboard.press("Tab");
    expect((await focused(page)).text).toBe("Skip to the page");
    await expectAccessibleEverywhere(page);
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
    for (let stop = 0; stop < 14; stop += 1) {
      await page.keyboard.press("Tab");
      expect((await focused(page)).outline).toBe("solid 2px");
    }
  });

  test("check 3: a job is submitted, found and canceled; dialogs take the focus and give it back", async () => {
    const { page } = await openDashboard(world, "/");
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox").waitFor();
    await page.keyboard.type("jobs");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
    await page.getByRole("link", { name: "New job" }).focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("Repository").waitFor();
    await page.keyboard.type("octo/hello");
    await page.getByLabel("Prompt").focus();
    await page.keyboard.type("Typed by hand");
    await page.getByRole("button", { name: "Submit job" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Typed by hand" }).waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("j");
    await page.getByRole("link", { name: "Typed by hand" }).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("Typed by hand");
    await waitFor("the search", () => page.url().includes("q=Typed"));
    await page.getByRole("checkbox", { name: "Select Typed by hand" }).focus();
    await page.keyboard.press("x");
    await page
      .getByRole("region", { name: "Selection" })
      .getByRole("button", { name: "Cancel" })
      .focus();
    await page.keyboard.press("Enter");
    const question = page.getByRole("alertdialog");
    await question.waitFor();
    expect(await question.evaluate((one) => one.contains(document.activeElement))).toBe(true);
    await page.keyboard.press("Escape");
    await question.waitFor({ state: "hidden" });
    expect((await focused(page)).text).toBe("Cancel");
  });

  test("check 3: g and a letter go to each page of the navigation, and ? lists them", async () => {
    const { page } = await openDashboard(world, "/");
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
    for (const [key, heading] of [
      ["e", "Executors"],
      ["m", "Metrics"],
      ["s", "Schedules"],
      ["a", "Audit"],
      [",", "Settings"],
      ["o", "Overview"],
    ] as const) {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
    }
    await page.keyboard.press("?");
    const list = page.getByRole("dialog", { name: "Keys" });
    await list.getByText("g e").waitFor();
    await expectAccessibleEverywhere(page);
  });
});

test("check 12: a cut cable → a banner; data stays, actions say why they cannot; mended, it goes without a reload", async () => {
  const cable = await layCable(world.stack.url);
  const site = await startDashboard({ root: findRoot(), backendUrl: cable.url, port: 0 });
  try {
    const { page } = await openDashboard({ ...world, url: site.url }, "/jobs");
    await page.getByRole("link", { name: "Wait here" }).waitFor();
    await page.evaluate(() => {
      document.body.dataset["kept"] = "yes";
    });
    cable.cut();
    await page.getByText("This is the last known state").waitFor();
    expect(await page.getByRole("link", { name: "Wait here" }).isVisible()).toBe(true);
    const button = page.getByRole("button", { name: "New job" });
    expect(await button.getAttribute("aria-disabled")).toBe("true");
    await button.focus();
    await page.getByText("There is no connection to the backend just now.").first().waitFor();
    await expectAccessibleEverywhere(page);
    const submission = { repository: "octo/hello", prompt: "Meanwhile" };
    await administrator.mutation(api.jobs.submit, submission);
    cable.mend();
    await page.getByText("This is the last known state").waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "1 new job" }).waitFor();
    expect(await page.evaluate(() => document.body.dataset["kept"])).toBe("yes");
  } finally {
    await site.close();
  }
});

describe("check 23: an address that leads nowhere", () => {
  test.each([
    ["/nowhere", "There is no page at this address", "Not found"],
    ["/jobs/thisIsNoId", "There is no such job", "Not found"],
    ["/settings?tab=nothing&x=%00", "Second factor", "Settings, you"],
    ["/metrics?range=%ff", "Ended jobs", "Metrics, 24 hours"],
    ["/audit?from=soon&to[]=1", "enrolment.created", "Audit"],
  ])("%s → %s", async (address, words, title) => {
    const { page } = await openDashboard(world, "/");
    await page.goto(world.url + address);
    await page.getByText(words).first().waitFor();
    await waitFor("the title", async () => (await page.title()) === `${title} · Fondation`);
    await expectAccessible(page);
    await page.getByRole("link", { name: "Overview", exact: true }).first().click();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  });

  test("a job that was deleted by its age → said so, and the way back", async () => {
    const submission = { repository: "octo/hello", prompt: "Soon gone" };
    const { jobId } = await administrator.mutation(api.jobs.submit, submission);
    await administrator.mutation(api.jobs.cancel, { jobId });
    const step = { kind: "jobs", before: Date.now() + 60_000, cursor: 0 };
    await runAsOperator(world, "retention:step", step);
    const { page } = await openDashboard(world, `/jobs/${jobId}`);
    await page.getByText("There is no such job").waitFor();
    await page.getByRole("link", { name: "To the overview" }).click();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  });
});

describe("check 21: the theme", () => {
  test("the system's is there before the first paint, and follows it; a chosen one stays", async () => {
    const page = await openPage("about:blank");
    await page.addInitScript(() => {
      const seen = new MutationObserver(() => {
        // What is on the page when its body begins is what is painted first.
        if (document.getElementsByTagName("body").length === 0) return;
        seen.disconnect();
        sessionStorage.setItem("first", document.documentElement.dataset["theme"] ?? "none");
      });
      seen.observe(document, { childList: true, subtree: true });
    });
    await page.emulateMedia({ colorScheme: "dark" });
    await page.goto(`${world.url}/sign-in`);
    const first = () => page.evaluate(() => sessionStorage.getItem("first"));
    expect(await first()).toBe("dark");
    await page.emulateMedia({ colorScheme: "light" });
    await page.reload();
    expect(await first()).toBe("light");
    await page.evaluate(() => {
      localStorage.setItem("fondation.theme", "dark");
    });
    await page.reload();
    expect(await first()).toBe("dark");
  });

  test("chosen in the menu of the account, kept over a reload", async () => {
    const { page } = await openDashboard(world, "/");
    await page.getByRole("button", { name: /administrator/ }).click();
    await page.getByRole("menuitem", { name: "Dark theme" }).waitFor();
    await expectAccessible(page);
    await page.getByRole("menuitem", { name: "Dark theme" }).click();
    await page.locator("html[data-theme=dark]").waitFor();
    await page.reload();
    await page.locator("html[data-theme=dark]").waitFor();
  });

  test("nothing moves for who wants that; lines are stronger for who wants contrast", async () => {
    const { page } = await openDashboard(world, "/executors");
    await page.getByRole("button", { name: "Enrol an executor" }).first().click();
    await page.getByLabel("Name").fill("still");
    await page.getByRole("button", { name: "Make an invitation" }).click();
    const spinning = page.getByRole("status").filter({ hasText: "Waiting for" }).locator("svg");
    await spinning.waitFor();
    const ms = await spinning.evaluate((icon) => getComputedStyle(icon).animationDuration);
    expect(Number.parseFloat(ms)).toBeLessThan(0.01);
    const line = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue("--line"));
    const usual = await line();
    await page.emulateMedia({ contrast: "more", reducedMotion: "reduce" });
    expect(await line()).not.toBe(usual);
  });
});
