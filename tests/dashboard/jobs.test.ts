/** The jobs list and the form, in a browser against the real backend. */
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { ConvexHttpClient } from "convex/browser";
import { api } from "../../convex/_generated/api.js";
import { waitFor } from "../support/waitFor.js";
import {
  expectAccessible,
  expectNoSidewaysScroll,
  openDashboard,
  startWorld,
  type World,
} from "./support.js";

const JOBS = 8;
let world: World;
let administrator: ConvexHttpClient;

beforeAll(async () => {
  world = await startWorld();
  administrator = await world.stack.administrator();
  for (let n = 1; n <= JOBS; n += 1) await submit(`Job number ${String(n)}`);
});

async function submit(prompt: string, more: { hold?: boolean; labels?: string[] } = {}) {
  const repository = "octo/hello";
  const submission = { repository, prompt, concurrencyKey: null, ...more };
  return (await administrator.mutation(api.jobs.submit, submission)).jobId;
}

const rows = (page: Page) => page.locator("tbody tr");
const shows = (page: Page, count: number) =>
  waitFor(`${String(count)} rows`, async () => (await rows(page).count()) === count);

describe("the list", () => {
  test("filters stand in the address: a link shows the same rows, Back takes them away", async () => {
    await submit("Mend the roof", { hold: true, labels: ["roofers"] });
    const { page, complaints } = await openDashboard(world, "/jobs");
    await shows(page, JOBS + 1);
    await page.getByRole("searchbox").fill("label:roofers mend");
    await shows(page, 1);
    await page.getByRole("navigation", { name: "States" }).getByText("Waiting").click();
    await waitFor("the state in the address", () => page.url().includes("state=waiting"));
    const link = new URL(page.url());
    expect(link.searchParams.get("q")).toBe("label:roofers mend");
    const other = await openDashboard(world, link.pathname + link.search);
    await shows(other.page, 1);
    expect(await other.page.getByRole("searchbox").inputValue()).toBe("label:roofers mend");
    await page.goBack();
    expect(new URL(page.url()).searchParams.get("state")).toBeNull();
    await page.getByRole("searchbox").fill("");
    await shows(page, JOBS + 1);
    expect(complaints).toEqual([]);
  });

  test("an address that nobody understands → all jobs; nothing that matches → said so", async () => {
    const { page } = await openDashboard(world, "/jobs?state=asleep&q=%00&page=x");
    await page.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
    await page.goto(`${world.url}/jobs?q=nothingIsCalledThis`);
    await page.getByText("No job matches").waitFor();
    await page.getByRole("link", { name: "Clear the filters" }).click();
    await rows(page).first().waitFor();
  });

  test("new jobs do not move the rows that are read: they are counted, and shown when asked for", async () => {
    const { page } = await openDashboard(world, "/jobs");
    await rows(page).first().waitFor();
    const before = await rows(page).allInnerTexts();
    await submit("Came later");
    await submit("Came last");
    await page.getByRole("button", { name: "2 new jobs" }).waitFor();
    expect(await rows(page).count()).toBe(before.length);
    await page.getByRole("button", { name: "2 new jobs" }).click();
    await waitFor("the newest on top", async () =>
      (await rows(page).first().innerText()).includes("Came last"),
    );
  });

  test("j, k and x select; cancel asks, then says what became of each", async () => {
    const { page } = await openDashboard(world, "/jobs?q=number");
    await shows(page, JOBS);
    await page.keyboard.press("j");
    await page.keyboard.press("x");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("Shift+X");
    await page.getByRole("checkbox", { name: "Select Job number 8" }).waitFor();
    const selection = page.getByRole("region", { name: "Selection" });
    await selection.getByText("1 selected").or(selection.getByText("3 selected")).waitFor();
    await selection.getByRole("button", { name: "Cancel" }).click();
    await page
      .getByRole("alertdialog")
      .getByRole("button", { name: /^Cancel / })
      .click();
    await page
      .getByRole("dialog")
      .getByText(/^Done: /)
      .waitFor();
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await rows(page).filter({ hasText: "Canceled" }).first().waitFor();
  });

  test("all that match, shown or not: a background operation with the outcome of each job", async () => {
    for (let n = 0; n < 60; n += 1) await submit(`Many ${String(n)}`);
    const { page } = await openDashboard(world, "/jobs?q=Many");
    await waitFor("rows", async () => (await rows(page).count()) >= 50);
    await page.getByRole("checkbox", { name: "Select all jobs shown" }).check();
    const more = page.getByRole("button", { name: /Select all that match/ });
    if (await more.isVisible()) await more.click();
    await page
      .getByRole("region", { name: "Selection" })
      .getByRole("button", { name: "Cancel" })
      .click();
    await page
      .getByRole("alertdialog")
      .getByRole("button", { name: /^Cancel / })
      .click();
    await page.getByRole("dialog").getByText("Done: 60 jobs changed").waitFor();
  });

  test("a viewer sees all, and each action says why it is not his", async () => {
    const [username, password] = ["vera", "a password that is long"];
    await administrator.action(api.users.create, { username, password, role: "viewer" });
    const { page } = await openDashboard(world, "/jobs", { as: { username, password } });
    await rows(page).first().waitFor();
    const button = page.getByRole("button", { name: "New job" });
    expect(await button.getAttribute("aria-disabled")).toBe("true");
    await button.focus();
    await page.getByText("This needs the role operator; yours is viewer.").first().waitFor();
  });

  test("by axe, light, dark and on a phone", async () => {
    for (const look of [{ theme: "light" }, { theme: "dark" }, { width: 375 }] as const) {
      const { page } = await openDashboard(world, "/jobs", look);
      await rows(page).first().waitFor();
      await expectAccessible(page);
      await expectNoSidewaysScroll(page);
    }
  });
});

describe("the form", () => {
  test("what is missing is said at its field; then the job is submitted and shown", async () => {
    const { page } = await openDashboard(world, "/jobs/new");
    await page.getByRole("button", { name: "Submit job" }).click();
    await page.getByText("Name a repository.").waitFor();
    await page.getByText("Say what is to be done.").waitFor();
    await expectAccessible(page);
    await page.getByLabel("Repository").fill("octo/hello");
    await page.getByLabel("Prompt").fill("Count the beans\nand say how many");
    await page.getByLabel("Budget ($)").fill("2");
    await page.getByText("At most $6.00 over all attempts.").waitFor();
    await page.getByRole("button", { name: "Submit job" }).click();
    await page.getByRole("heading", { name: "Count the beans" }).waitFor();
    const jobId = new URL(page.url()).pathname.split("/").at(-1) ?? "";
    const job = await administrator.query(api.jobs.get, { jobId });
    expect(job.spec.limits).toMatchObject({ maxBudgetUsd: 2, attemptsMax: 3 });
  });

  test("without a budget it asks; what the backend refuses is said, and nothing typed is lost", async () => {
    const { page } = await openDashboard(world, "/jobs/new");
    await page.getByLabel("Repository").fill("not a repository");
    await page.getByLabel("Prompt").fill("Do it");
    await page.getByLabel("Budget ($)").fill("");
    await page.getByRole("button", { name: "Submit job" }).click();
    await page.getByRole("alertdialog").getByText("No budget is set").waitFor();
    await page.getByRole("button", { name: "Submit it" }).click();
    await page.getByRole("alert").filter({ hasText: "not a repository" }).waitFor();
    expect(await page.getByLabel("Prompt").inputValue()).toBe("Do it");
  });

  test("from another job: its prompt and its limits are there", async () => {
    const jobId = await submit("First line\nsecond line");
    const { page } = await openDashboard(world, `/jobs/new?from=${jobId}`);
    await page.getByLabel("Prompt").waitFor();
    expect(await page.getByLabel("Prompt").inputValue()).toBe("First line\nsecond line");
    expect(await page.getByLabel("Repository").inputValue()).toBe("github.com/octo/hello");
  });

  test("from a template: its parameters are asked for and filled in", async () => {
    await administrator.mutation(api.templates.save, { name: "review", text: "Review {{what}}." });
    const { page } = await openDashboard(world, "/jobs/new");
    await page.getByLabel("Repository").fill("octo/hello");
    await page.getByLabel("Template").selectOption("review");
    await page.getByLabel("what").fill("the parser");
    await page.getByText("Review the parser.").waitFor();
    await page.getByRole("button", { name: "Submit job" }).click();
    await page.getByRole("heading", { name: "Review the parser." }).waitFor();
  });
});
