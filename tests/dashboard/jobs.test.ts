/** The jobs list and the form, in a browser against the real backend. */
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { ConvexHttpClient } from "convex/browser";
import { api } from "../../convex/_generated/api.js";
import { waitFor } from "../support/waitFor.js";
import { expectAccessibleEverywhere, openDashboard, startWorld, type World } from "./support.js";

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

/** As many jobs of one prompt, once all of them are there. */
async function submitBatch(prompt: string, count: number): Promise<void> {
  const items = Array.from({ length: count }, () => ({
    repository: "octo/hello",
    concurrencyKey: null,
  }));
  const batchId = await administrator.mutation(api.batches.submit, { name: prompt, prompt, items });
  await waitFor("the batch", async () => {
    const { created } = await administrator.query(api.batches.get, { batchId });
    return created === count;
  });
}

const rows = (page: Page) => page.locator("tbody tr");
const shows = (page: Page, count: number) =>
  waitFor(`${String(count)} rows`, async () => (await rows(page).count()) === count);

describe("the list", () => {
  test("check 2: by axe in both themes, on a desktop and a phone; the menu of views too", async () => {
    const { page } = await openDashboard(world, "/jobs");
    await rows(page).first().waitFor();
    await expectAccessibleEverywhere(page);
    await page.getByRole("button", { name: "Views" }).click();
    await page.getByRole("menu").waitFor();
    await expectAccessibleEverywhere(page);
    await page.getByRole("menuitem", { name: "Save this view…" }).click();
    await page.getByRole("dialog").waitFor();
    await expectAccessibleEverywhere(page);
  });

  test("check 4: filters stand in the address: a link shows the same rows, Back takes them away", async () => {
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

  test("check 23: an address that nobody understands → all jobs; nothing that matches → said so", async () => {
    const { page } = await openDashboard(world, "/jobs?state=asleep&q=%00&page=x");
    await page.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
    await page.goto(`${world.url}/jobs?q=nothingIsCalledThis`);
    await page.getByText("No job matches").waitFor();
    await page.getByRole("link", { name: "Clear the filters" }).click();
    await rows(page).first().waitFor();
  });

  test("check 18: 50 new jobs do not move the rows that are read: they are counted, and shown when asked for", async () => {
    const { page } = await openDashboard(world, "/jobs");
    await rows(page).first().waitFor();
    const before = await rows(page).allInnerTexts();
    const titles = before.map((text) => text.split("\n").find((line) => line.includes("number")));
    await submitBatch("Came later", 49);
    await submit("Came last");
    await page.getByRole("button", { name: "50 new jobs" }).waitFor();
    const shown = await rows(page).allInnerTexts();
    expect(shown.map((text) => text.split("\n").find((line) => line.includes("number")))).toEqual(
      titles,
    );
    await page.getByRole("button", { name: "50 new jobs" }).click();
    await waitFor("the newest on top", async () =>
      (await rows(page).first().innerText()).includes("Came last"),
    );
  });

  test("check 4: Back from a job leads to the same rows at the same place", async () => {
    const { page } = await openDashboard(world, "/jobs?q=Came");
    await shows(page, 50);
    await rows(page).nth(40).scrollIntoViewIfNeeded();
    const before = await page.evaluate(() => scrollY);
    expect(before).toBeGreaterThan(500);
    await rows(page).nth(40).getByRole("link").click();
    await page.getByRole("heading", { name: "Came later" }).waitFor();
    await page.goBack();
    await shows(page, 50);
    expect(page.url()).toContain("q=Came");
    await waitFor("the place", () => page.evaluate((was) => scrollY === was, before));
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
    await expectAccessibleEverywhere(page);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await rows(page).filter({ hasText: "Canceled" }).first().waitFor();
  });

  test("check 17: all 240 that match, shown or not: progress, the outcome of each, and why one is refused", async () => {
    await submitBatch("Many", 240);
    const { page } = await openDashboard(world, "/jobs?q=Many");
    await waitFor("rows", async () => (await rows(page).count()) >= 50);
    await page.getByRole("checkbox", { name: "Select Many" }).nth(1).click();
    await page
      .getByRole("checkbox", { name: "Select Many" })
      .nth(3)
      .click({ modifiers: ["Shift"] });
    const selection = page.getByRole("region", { name: "Selection" });
    await selection.getByText("3 selected").waitFor();
    const everything = async () => {
      await page.getByRole("checkbox", { name: "Select all jobs shown" }).check();
      await selection.getByRole("button", { name: /Select all that match/ }).click();
    };
    const dialog = page.getByRole("dialog");
    const outcomes = dialog.getByRole("list", { name: "Outcomes" });
    await everything();
    await selection.getByRole("button", { name: "Retry" }).click();
    await dialog.getByText("Done: 0 jobs changed, 240 refused").waitFor();
    expect(await outcomes.getByLabel("Refused").count()).toBe(50);
    await outcomes
      .getByText(/pending/)
      .first()
      .waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await everything();
    await selection.getByRole("button", { name: "Cancel" }).click();
    const question = page.getByRole("alertdialog");
    await question.waitFor();
    await expectAccessibleEverywhere(page);
    await question.getByRole("button", { name: "Cancel all jobs that match the filter" }).click();
    await dialog.getByText("Done: 240 jobs changed").waitFor();
  });

  test("check 22: a viewer sees all, and each action says why it is not his", async () => {
    const [username, password] = ["vera", "a password that is long"];
    await administrator.action(api.users.create, { username, password, role: "viewer" });
    const { page } = await openDashboard(world, "/jobs", { as: { username, password } });
    await rows(page).first().waitFor();
    const button = page.getByRole("button", { name: "New job" });
    expect(await button.getAttribute("aria-disabled")).toBe("true");
    await button.focus();
    await page.getByText("This needs the role operator; yours is viewer.").first().waitFor();
  });
});

describe("the form", () => {
  test("what is missing is said at its field; then the job is submitted and shown", async () => {
    const { page } = await openDashboard(world, "/jobs/new");
    await page.getByRole("button", { name: "Submit job" }).click();
    await page.getByText("Name a repository.").waitFor();
    await page.getByText("Say what is to be done.").waitFor();
    await expectAccessibleEverywhere(page);
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
    await expectAccessibleEverywhere(page);
    await page.getByRole("button", { name: "Submit it" }).click();
    await page.getByRole("alert").filter({ hasText: "not a repository" }).waitFor();
    expect(await page.getByLabel("Prompt").inputValue()).toBe("Do it");
  });

  test("from another job: its prompt and its repository are there, as they can be submitted again", async () => {
    const jobId = await submit("First line\nsecond line");
    const { page } = await openDashboard(world, `/jobs/new?from=${jobId}`);
    await page.getByLabel("Prompt").waitFor();
    expect(await page.getByLabel("Prompt").inputValue()).toBe("First line\nsecond line");
    await page.getByRole("button", { name: "Submit job" }).click();
    await page.getByRole("button", { name: "Submit it" }).click();
    await page.getByRole("heading", { name: "First line" }).waitFor();
    const again = new URL(page.url()).pathname.split("/").at(-1) ?? "";
    const { spec } = await administrator.query(api.jobs.get, { jobId: again });
    expect(spec.repository).toMatchObject({ host: "github.com", owner: "octo", name: "hello" });
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
