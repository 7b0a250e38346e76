/** The page of one job, in a browser, with a real executor that runs it meanwhile. */
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { ConvexHttpClient } from "convex/browser";
import { api } from "../../convex/_generated/api.js";
import type { JobDetail } from "../../convex/protocol/view.js";
import { gitRepo } from "../support/gitRepo.js";
import { RESULT, worker } from "./jobScripts.js";
import { expectAccessibleEverywhere, openDashboard, startWorld, type World } from "./support.js";

type JobId = JobDetail["jobId"];

const repo = gitRepo();
let world: World;
let administrator: ConvexHttpClient;
/** A job that has succeeded, with an edit, an answer and artifacts. */
let done: JobId;

beforeAll(async () => {
  world = await startWorld({ script: worker, repositories: [repo.path], executors: 1 });
  administrator = await world.stack.administrator();
  done = await submit("Greet the world\n\nand say so.");
  await world.stack.ended(done);
});

async function submit(prompt: string, more: { hold?: boolean; labels?: string[] } = {}) {
  const submission = { repository: repo.path, prompt, concurrencyKey: null, ...more };
  return (await administrator.mutation(api.jobs.submit, submission)).jobId;
}

const tab = (page: Page, name: string) => page.getByRole("tab", { name: new RegExp(`^${name}`) });

/** Each tab, and what shows that it is there. */
const TABS: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  activity: async (page) => {
    await page.getByRole("heading", { name: "All done" }).waitFor();
    for (const call of await page.getByRole("button", { name: /^(Read|Bash)/ }).all()) {
      if ((await call.getAttribute("aria-expanded")) === "false") await call.click();
    }
    await page.getByText("true").first().waitFor();
  },
  log: (page) => page.locator("[data-line]").first().waitFor(),
  result: (page) => page.getByRole("heading", { name: "All done" }).waitFor(),
  changes: (page) => page.getByText("hello, world").first().waitFor(),
  artifacts: (page) =>
    page.getByRole("tabpanel").getByRole("table").or(page.getByText("No artifacts")).waitFor(),
  attempts: (page) => page.getByRole("tabpanel").getByText("succeeded").first().waitFor(),
  details: (page) => page.getByText("and say so.").first().waitFor(),
};

describe("by axe", () => {
  test.each(Object.entries(TABS))(
    "%s, in both themes, on a desk and on a phone",
    async (name, isThere) => {
      const { page, complaints } = await openDashboard(world, `/jobs/${done}?tab=${name}`);
      await isThere(page);
      await expectAccessibleEverywhere(page);
      expect(complaints).toEqual([]);
    },
  );
});

describe("the activity", () => {
  test("reads as a conversation: words, edits as what goes and comes, outputs on demand, errors open", async () => {
    const { page, complaints } = await openDashboard(world, `/jobs/${done}`);
    const steps = page.getByRole("list", { name: "Conversation" });
    await steps.getByText("I will read it first.").waitFor();
    expect(await steps.locator("strong").first().innerText()).toBe("read");
    const edit = steps.getByRole("group", { name: /^Edit of / });
    expect(await edit.innerText()).toMatch(/−\s*hello\s*\+\s*hello, world/);
    const commands = steps.getByRole("button", { name: /^Bash/ });
    expect(await commands.first().getAttribute("aria-expanded")).toBe("false");
    await commands.first().click();
    await steps.getByRole("group", { name: "Output" }).first().getByText("100% done").waitFor();
    expect(await commands.nth(1).getAttribute("aria-expanded")).toBe("true");
    await steps
      .getByText(/No such file/)
      .first()
      .waitFor();
    await page.getByRole("tabpanel").getByText("It succeeded").waitFor();
    await page.getByRole("link", { name: "The result" }).click();
    await page.getByRole("region", { name: "Answer" }).waitFor();
    expect(complaints).toEqual([]);
  });
});

describe("the result", () => {
  test("is Markdown of GitHub's kind, and nothing in it runs, leads inwards or is fetched", async () => {
    const { page, complaints } = await openDashboard(world, `/jobs/${done}?tab=result`);
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    const answer = page.getByRole("region", { name: "Answer" });
    await answer.getByRole("heading", { name: "All done" }).waitFor();
    expect(RESULT).toContain("onerror");
    expect(await answer.getByRole("table").count()).toBe(1);
    expect(await answer.getByRole("checkbox", { name: "Done" }).isChecked()).toBe(true);
    expect(await answer.locator("script, img, iframe, [onerror], [onclick], style").count()).toBe(
      0,
    );
    const links = await answer
      .getByRole("link")
      .evaluateAll((found) => found.map((link) => link.getAttribute("href")));
    expect(links).toEqual(["https://example.invalid/docs"]);
    await answer.getByText("image not shown: spy").waitFor();
    expect(await page.evaluate(() => "pwned" in window)).toBe(false);
    expect(requests.filter((url) => url.includes("example.invalid"))).toEqual([]);
    expect(complaints).toEqual([]);
    expect(await tab(page, "Result").getAttribute("aria-selected")).toBe("true");
  });
});
