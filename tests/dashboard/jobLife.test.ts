/** A job's page while the job lives: waiting, running, lost, taken up again, canceled; and what one does to it. */
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { ConvexHttpClient } from "convex/browser";
import { api } from "../../convex/_generated/api.js";
import type { JobDetail } from "../../convex/protocol/view.js";
import { gitRepo } from "../support/gitRepo.js";
import { waitFor } from "../support/waitFor.js";
import { TOKEN, worker } from "./jobScripts.js";
import {
  expectAccessible,
  expectAccessibleEverywhere,
  holdMutations,
  openDashboard,
  startWorld,
  type World,
} from "./support.js";

type JobId = JobDetail["jobId"];

const LEASE = { LEASE_TIME: "6000", HEARTBEAT_INTERVAL: "1000" };
const repo = gitRepo();
let world: World;
let administrator: ConvexHttpClient;

beforeAll(async () => {
  world = await startWorld({ script: worker, repositories: [repo.path], variables: LEASE });
  administrator = await world.stack.administrator();
});

async function submit(prompt: string, more: { hold?: boolean } = {}): Promise<JobId> {
  const submission = { repository: repo.path, prompt, concurrencyKey: null, ...more };
  return (await administrator.mutation(api.jobs.submit, submission)).jobId;
}

const state = (page: Page, word: string) =>
  page.locator("header").getByText(word, { exact: true }).first();
const timeline = (page: Page) => page.getByRole("region", { name: "Events" });
const hint = (page: Page, text: string) =>
  page.locator("[role=tooltip]:visible").getByText(text, { exact: true });
const toast = (page: Page, text: string) => page.getByText(text).first();

describe("a queue without executors", () => {
  test("says so with the command that starts one; one that joins clears it, with no reload", async () => {
    const jobId = await submit("Greet, and wait at first");
    const behind = await submit("Come after");
    const { page, complaints } = await openDashboard(world, `/jobs/${behind}`);
    await page.getByText("No executor is online and takes work.").waitFor();
    await page.getByText("node dist/executor.mjs").waitFor();
    await page.getByText("1 job ahead of it.").waitFor();
    await page.getByText("Nothing has happened yet").waitFor();
    await expectAccessibleEverywhere(page);
    await page.setViewportSize({ width: 1280, height: 800 });
    await world.stack.addExecutor("executor-1");
    await page.getByText("All slots that fit are taken.").waitFor();
    await page.getByText("node dist/executor.mjs").waitFor({ state: "hidden" });
    await administrator.mutation(api.jobs.cancel, { jobId: behind });
    await state(page, "Canceled").waitFor();
    world.stack.api.release("first");
    await world.stack.ended(jobId);
    expect(complaints).toEqual([]);
  });
});

describe("actions", () => {
  test("cancel by keyboard: the dialog takes the focus, Escape gives it back, Enter cancels", async () => {
    const jobId = await submit("Held", { hold: true });
    const { page } = await openDashboard(world, `/jobs/${jobId}`);
    const cancel = page.getByRole("button", { name: "Cancel", exact: true });
    await cancel.waitFor();
    while (!(await cancel.evaluate((button) => button === document.activeElement))) {
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("alertdialog", { name: "Cancel this job?" });
    await dialog.waitFor();
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await waitFor("the focus to be back", () =>
      cancel.evaluate((button) => button === document.activeElement),
    );
    await page.keyboard.press("Enter");
    await dialog.waitFor();
    const confirm = dialog.getByRole("button", { name: "Cancel the job" });
    while (!(await confirm.evaluate((button) => button === document.activeElement))) {
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await state(page, "Canceled").waitFor();
    await toast(page, "The job is canceled").waitFor();
    await waitFor("the title of the tab", async () =>
      (await page.title()).startsWith("Canceled · Held · "),
    );
    await expectAccessible(page);
  });

  test("shown at once, told when acknowledged; a second click sends nothing more", async () => {
    const jobId = await submit("Held too", { hold: true });
    const { page } = await openDashboard(world, `/jobs/${jobId}`);
    const { sent, letGo } = await holdMutations(page);
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("button", { name: "Cancel the job" }).dblclick({ force: true });
    await state(page, "Canceled").waitFor();
    expect(await toast(page, "The job is canceled").count()).toBe(0);
    expect((await administrator.query(api.jobs.get, { jobId })).state.kind).toBe("waiting");
    letGo();
    await toast(page, "The job is canceled").waitFor();
    expect(sent).toEqual(["jobs:cancel"]);
  });

  test("refused by the backend: taken back, with the reason", async () => {
    const jobId = await submit("Held as well", { hold: true });
    const { page } = await openDashboard(world, `/jobs/${jobId}`);
    const { letGo } = await holdMutations(page);
    await page.getByRole("button", { name: "More actions" }).click();
    await expectAccessible(page);
    await page.getByRole("menuitem", { name: "Release", exact: true }).click();
    await state(page, "Pending").waitFor();
    await administrator.mutation(api.jobs.cancel, { jobId });
    letGo();
    await toast(page, "The backend refused to release the job").waitFor();
    await state(page, "Canceled").waitFor();
  });

  test("a viewer sees all, and each action says why it is not his; others say why they make no sense", async () => {
    const jobId = await submit("Held for the viewer", { hold: true });
    const [username, password] = ["vera", "a password that is long"];
    await administrator.action(api.users.create, { username, password, role: "viewer" });
    const { page } = await openDashboard(world, `/jobs/${jobId}`, { as: { username, password } });
    for (const name of ["Cancel", "Retry", "Rerun with edits"]) {
      const button = page.getByRole("button", { name, exact: true });
      expect(await button.getAttribute("aria-disabled")).toBe("true");
      await button.focus();
      await hint(page, "This needs the role operator; yours is viewer.").waitFor();
    }
    const { page: own } = await openDashboard(world, `/jobs/${jobId}`);
    await own.getByRole("button", { name: "Retry" }).focus();
    await hint(own, "Only a job that failed or was canceled can be retried.").waitFor();
    await own.getByRole("link", { name: "Rerun with edits" }).click();
    await own.getByRole("heading", { name: "New job from another" }).waitFor();
    await own.getByLabel("Prompt").waitFor();
    expect(await own.getByLabel("Prompt").inputValue()).toBe("Held for the viewer");
  });

  test("two browsers on one job: what one does the other shows", async () => {
    const jobId = await submit("Seen by two", { hold: true });
    const [one, two] = [
      await openDashboard(world, `/jobs/${jobId}`),
      await openDashboard(world, `/jobs/${jobId}`),
    ];
    await two.page
      .locator("header")
      .getByText(/^Waiting.*held$/)
      .waitFor();
    await one.page.getByRole("button", { name: "Cancel", exact: true }).click();
    await one.page.getByRole("button", { name: "Cancel the job" }).click();
    await state(two.page, "Canceled").waitFor();
    await timeline(two.page).getByText("Asked to cancel").waitFor();
  });
});

describe("an executor that dies", () => {
  test("its lease is seen running out, the job is reclaimed and goes on elsewhere: one story, both logs", async () => {
    const jobId = await submit("Greet, and wait at death");
    const { page, complaints } = await openDashboard(world, `/jobs/${jobId}?tab=log`);
    await page.locator("[data-line]").getByText("I will **read** it first.").waitFor();
    await world.stack.killExecutor("executor-1");
    await page.getByText(/No word from executor-1: its lease runs out in/).waitFor();
    await timeline(page).getByText("Reclaimed by the queue").waitFor();
    await timeline(page)
      .getByText(/lease expired/)
      .waitFor();
    await world.stack.addExecutor("executor-2");
    await timeline(page).getByText("Started, attempt 2").waitFor();
    await page.getByText("attempt 2 of 3").waitFor();
    await page.getByLabel("Attempt", { exact: true }).selectOption("1");
    await page.locator("[data-line]").getByText("I will **read** it first.").waitFor();
    expect(new URL(page.url()).searchParams.get("attempt")).toBe("1");
    world.stack.api.release("death");
    await state(page, "Succeeded").waitFor();
    await page.getByRole("tab", { name: /^Attempts/ }).click();
    await page.getByRole("tabpanel").getByText("expired · lease expired").waitFor();
    await expectAccessible(page);
    expect(complaints).toEqual([]);
  });
});

describe("what is told", () => {
  let done: JobId;
  beforeAll(async () => {
    done = await submit(`Tell the token ${TOKEN}`);
    await world.stack.ended(done);
  });

  test("what looks like a secret is masked in activity, log, result, changes and what is saved of them", async () => {
    const { page } = await openDashboard(world, `/jobs/${done}`);
    for (const [name, isThere] of [
      ["Activity", "said: [redacted]"],
      ["Log", "said: [redacted]"],
      ["Result", "I was told [redacted]."],
      ["Changes", "kept: [redacted]"],
    ] as const) {
      await page.getByRole("tab", { name }).click();
      await page.getByText(isThere).first().waitFor();
      // The prompt itself, which is the title, is as it was typed.
      expect(await page.getByRole("tabpanel").innerText()).not.toContain(TOKEN);
      const save = page.getByRole("tabpanel").getByRole("button", { name: /^Download/ });
      if ((await save.count()) === 0) continue;
      const saving = page.waitForEvent("download");
      await save.first().click();
      const stream = await (await saving).createReadStream();
      const saved = Buffer.concat(await stream.toArray()).toString("utf8");
      expect(saved).toContain("[redacted]");
      expect(saved).not.toContain(TOKEN);
    }
  });

  test("times tick, a finished job's durations do not; a clock that is wrong makes nothing negative", async () => {
    const { page } = await openDashboard(world, `/jobs/${done}`);
    const glance = page.getByRole("region", { name: "At a glance" });
    const durations = async () => [
      await glance.getByRole("list").innerText(),
      await glance.getByText(/^Took/).locator("xpath=..").innerText(),
    ];
    const submitted = page.locator("header time");
    await submitted.first().waitFor();
    const before = await durations();
    expect(await submitted.first().getAttribute("title")).toMatch(/20\d\d.*(UTC|GMT|[A-Z]{3,4})/);
    for (const [hours, reads] of [
      [5, /^5\s?h/],
      [-5, /^just now$/],
    ] as const) {
      await page.clock.setSystemTime(Date.now() + hours * 3_600_000);
      await page.reload();
      await waitFor("the relative time", async () =>
        reads.test(await submitted.first().innerText()),
      );
      expect(await durations()).toEqual(before);
      expect(await page.getByRole("main").innerText()).not.toMatch(/-\d+\s?(ms|s|m|h)\b|\bin \d/);
    }
  });

  test("on plain http, without the clipboard API, a copy is a copy", async () => {
    const { page } = await openDashboard(world, `/jobs/${done}?tab=details`);
    await page.addInitScript(() => {
      Object.defineProperty(navigator, "clipboard", { value: undefined });
    });
    await page.reload();
    await page.getByRole("button", { name: `Copy ${done}` }).click();
    await page.getByText("Copied").first().waitFor();
    await page.goto(`${world.url}/jobs`);
    await page.getByRole("searchbox").focus();
    await page.keyboard.press("Control+V");
    expect(await page.getByRole("searchbox").inputValue()).toBe(done);
  });

  test("the tab says how it stands, by title and icon; a job that is not there has a page of its own", async () => {
    const { page } = await openDashboard(world, `/jobs/${done}`);
    await waitFor("the title", async () => (await page.title()).startsWith("Succeeded · Tell the"));
    expect(await page.title()).toContain("fondation-repo");
    const icon = page.locator("link[rel=icon]");
    expect(await icon.getAttribute("href")).toBe("/iconGood.svg");
    await page.goto(`${world.url}/jobs/nobody?tab=moon&attempt=x`);
    await page.getByText("There is no such job").waitFor();
    await expectAccessible(page);
    expect(await icon.getAttribute("href")).toBe("/icon.svg");
    await page.getByRole("link", { name: "To the overview" }).click();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  });
});
