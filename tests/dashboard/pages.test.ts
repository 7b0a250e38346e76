/** Executors, metrics, schedules and the audit, with a real executor that runs real jobs. */
import type { Page } from "playwright-core";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { ConvexHttpClient } from "convex/browser";
import { api } from "../../convex/_generated/api.js";
import { gitRepo } from "../support/gitRepo.js";
import { say } from "../support/scripts.js";
import { waitFor } from "../support/waitFor.js";
import {
  expectAccessibleEverywhere,
  openDashboard,
  runAsOperator,
  startWorld,
  type World,
} from "./support.js";

const repo = gitRepo();
let world: World;
let administrator: ConvexHttpClient;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  world = await startWorld({ script: say("Done."), repositories: [repo.path] });
  administrator = await world.stack.administrator();
  await world.stack.addExecutor("attic");
  ({ page, complaints } = await openDashboard(world, "/executors"));
  const submission = { repository: repo.path, prompt: "Say done" };
  const { jobId } = await administrator.mutation(api.jobs.submit, submission);
  await world.stack.ended(jobId);
});

/** Opens an address of the dashboard and waits for its heading. */
async function open(address: string, heading: string): Promise<void> {
  await page.goto(world.url + address);
  await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
}

const dialog = () => page.getByRole("dialog");
const confirm = (action: string) =>
  page.getByRole("alertdialog").getByRole("button", { name: action }).click();

describe("executors", () => {
  const card = () => page.getByRole("region", { name: "attic" });

  test("each with its slots, its last heartbeat, its versions and what it logs in with", async () => {
    await open("/executors", "Executors");
    await card().getByText("Online").waitFor();
    await card().getByText("Last heartbeat").waitFor();
    await card()
      .getByText(/Claude CLI \d/)
      .waitFor();
    await card().getByText("its own API key").waitFor();
    await card().getByLabel("Slots in use: 0 of 1").waitFor();
    await waitFor("the title", async () => (await page.title()).startsWith("Executors, 1 online"));
    await expectAccessibleEverywhere(page);
  });

  test("drained at once, and told once the backend has said so; resumed again", async () => {
    await open("/executors", "Executors");
    await card().getByRole("button", { name: "Drain" }).click();
    await card().getByText("Draining").waitFor();
    await page.getByText("attic finishes what runs and gets nothing new").waitFor();
    const [executor] = await administrator.query(api.executors.list, {});
    expect(executor?.draining).toBe(true);
    await expectAccessibleEverywhere(page);
    await card().getByRole("button", { name: "Resume" }).click();
    await card().getByText("Draining").waitFor({ state: "hidden" });
  });

  test("enrolled: the one command to paste holds a token that is good once, and the dialog sees it come", async () => {
    await open("/executors", "Executors");
    await page.getByRole("button", { name: "Enrol an executor" }).click();
    await expectAccessibleEverywhere(page);
    await dialog().getByLabel("Name").fill("cellar");
    await dialog().getByRole("button", { name: "Make an invitation" }).click();
    const command = await dialog().getByLabel("the command", { exact: true }).innerText();
    expect(command).toMatch(/^CONVEX_URL=http\S+ FONDATION_ENROL_TOKEN=\S+ WORKER_ID=cellar node /);
    expect(command).toContain(world.stack.url);
    await dialog().getByText("Waiting for cellar to come online").waitFor();
    await expectAccessibleEverywhere(page);
    const token = /FONDATION_ENROL_TOKEN=(\S+)/.exec(command)?.[1] ?? "";
    await world.stack.addExecutor("cellar", { FONDATION_ENROL_TOKEN: token });
    await dialog().getByText("cellar is online.").waitFor();
    await dialog().getByRole("button", { name: "Done" }).click();
  });

  test("revoked only after a question; then it counts no more", async () => {
    await open("/executors", "Executors");
    await page.getByRole("button", { name: "More for cellar" }).click();
    await page.getByRole("menuitem", { name: "Revoke…" }).waitFor();
    await expectAccessibleEverywhere(page);
    await page.getByRole("menuitem", { name: "Revoke…" }).click();
    await page.getByRole("alertdialog").waitFor();
    await expectAccessibleEverywhere(page);
    await confirm("Revoke it");
    await page.getByText("1 executor revoked").waitFor();
    await page.getByRole("region", { name: "cellar" }).waitFor({ state: "hidden" });
  });
});

describe("metrics", () => {
  test("figures, charts and their tables say the same; the range stands in the address", async () => {
    await open("/metrics", "Metrics");
    await runAsOperator(world, "metrics:tick");
    const figures = await waitFor("the job to be counted", async () => {
      const { figures: found } = await administrator.query(api.metrics.summary, { range: "day" });
      return found.jobs.succeeded > 0 ? found : undefined;
    });
    await page
      .getByText(`${String(figures.jobs.succeeded)} succeeded`)
      .first()
      .waitFor();
    await page.getByRole("img", { name: /^Ended jobs: succeeded, failed, canceled/ }).waitFor();
    const panel = page.getByRole("region", { name: "Ended jobs" }).first();
    await panel.getByText("As a table").click();
    await panel.getByRole("row").nth(24).waitFor();
    const cell = panel.getByRole("row").nth(24).getByRole("cell").nth(1);
    expect(await cell.innerText()).toBe(String(figures.jobs.succeeded));
    await expectAccessibleEverywhere(page);
    await page.getByRole("link", { name: "90 days" }).click();
    await waitFor("the range", () => page.url().endsWith("?range=quarter"));
    await waitFor("the title", async () => (await page.title()).startsWith("Metrics, 90 days"));
    await panel.getByText("As a table").click();
    await panel.getByRole("row").nth(90).waitFor();
  });

  test("the series as CSV: a line for each bucket", async () => {
    await open("/metrics?range=day", "Metrics");
    const coming = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download CSV" }).click();
    const lines = readFileSync(await (await coming).path(), "utf8")
      .trim()
      .split("\n");
    expect(lines).toHaveLength(25);
    expect(lines[0]).toMatch(/^from,submitted,succeeded/);
  });
});

describe("schedules", () => {
  const row = (name: string) => page.getByRole("row").filter({ hasText: name });

  test("none yet → what one is; made with a preview of its next runs in its own time zone", async () => {
    await open("/schedules", "Schedules");
    await page.getByText("No schedule yet").waitFor();
    await page.getByRole("button", { name: "New schedule" }).first().click();
    await dialog().getByLabel("Cron expression").fill("61 * * * *");
    await dialog().getByText(/61/).first().waitFor();
    await dialog().getByRole("button", { name: "Create schedule" }).click();
    await dialog().getByText("Give it a name.").waitFor();
    await expectAccessibleEverywhere(page);
    await dialog().getByLabel("Name").fill("Nightly tidy-up");
    await dialog().getByLabel("Repository").fill(repo.path);
    await dialog().getByLabel("Prompt").fill("Look for dead code");
    await dialog().getByLabel("Cron expression").fill("30 4 * * *");
    await dialog().getByLabel("Time zone").fill("Asia/Tokyo");
    const next = dialog().getByRole("list", { name: "The next runs" });
    await next.getByText("04:30").first().waitFor();
    expect(await next.getByRole("listitem").count()).toBe(5);
    await dialog().getByRole("button", { name: "Create schedule" }).click();
    await row("Nightly tidy-up").getByText("30 4 * * * (Asia/Tokyo)").waitFor();
    await expectAccessibleEverywhere(page);
  });

  test("paused, resumed, changed, run now, deleted", async () => {
    await open("/schedules", "Schedules");
    await row("Nightly").getByRole("button", { name: "Pause" }).click();
    await row("Nightly").getByText("Paused").waitFor();
    await row("Nightly").getByRole("button", { name: "Resume" }).click();
    await row("Nightly").getByText("Paused").waitFor({ state: "hidden" });
    const choose = async (entry: string) => {
      await page.getByRole("button", { name: /^More for/ }).click();
      await page.getByRole("menuitem", { name: entry }).click();
    };
    await choose("Edit…");
    await dialog().getByLabel("Kind").selectOption("interval");
    await dialog().getByLabel("Minutes").fill("120");
    await dialog().getByRole("button", { name: "Save changes" }).click();
    await row("Nightly").getByText("every 2 hours").waitFor();
    await choose("Run now");
    await page.getByRole("heading", { name: "Look for dead code" }).waitFor();
    await open("/schedules", "Schedules");
    await choose("Delete…");
    await page.getByRole("alertdialog").waitFor();
    await expectAccessibleEverywhere(page);
    await confirm("Delete it");
    await page.getByText("No schedule yet").waitFor();
  });
});

describe("the audit", () => {
  test("check 4: its filters stand in the address: a link shows the same lines, Back brings them back", async () => {
    await open("/audit", "Audit");
    const lines = () => page.getByRole("table").getByRole("row").count();
    await page.getByRole("link", { name: "executor.enrolled" }).first().waitFor();
    await expectAccessibleEverywhere(page);
    await page.getByRole("link", { name: "executor.enrolled" }).first().click();
    await waitFor("two lines", async () => (await lines()) === 3);
    expect(page.url()).toContain("action=executor.enrolled");
    await page.getByLabel("On", { exact: true }).fill("cellar");
    await page.keyboard.press("Enter");
    await waitFor("one line", async () => (await lines()) === 2);
    const other = await openDashboard(
      world,
      new URL(page.url()).pathname + new URL(page.url()).search,
    );
    await other.page.getByRole("cell", { name: "cellar" }).first().waitFor();
    expect(await other.page.getByRole("table").getByRole("row").count()).toBe(2);
    await page.goBack();
    await waitFor("two lines again", async () => (await lines()) === 3);
    await open("/audit?actor=nobody", "Audit");
    await page.getByText("No line matches").waitFor();
  });

  test("exported: what the filter leaves, oldest first, and the export itself is in it", async () => {
    await open("/audit?action=audit.exported", "Audit");
    const coming = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export" }).click();
    const lines = readFileSync(await (await coming).path(), "utf8")
      .trim()
      .split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { action: string }).action)).toEqual([
      "audit.exported",
    ]);
    await page.getByText("Audit exported").waitFor();
    await expectAccessibleEverywhere(page);
  });
});

test("check 11: none of all this broke the content security policy or left an error in the console", () => {
  expect(complaints).toEqual([]);
});
