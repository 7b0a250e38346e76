/** The overview and its first steps, with a real executor that joins while one looks. */
import { beforeAll, expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { gitRepo } from "../support/gitRepo.js";
import { say } from "../support/scripts.js";
import { expectAccessibleEverywhere, openDashboard, startWorld, type World } from "./support.js";

const repo = gitRepo();
let world: World;
beforeAll(async () => {
  world = await startWorld({ script: say("Done."), repositories: [repo.path] });
});

test("check 16: a queue without executors says so and how to start one; the steps tick themselves off as one joins and a job succeeds", async () => {
  const { page, complaints } = await openDashboard(world, "/");
  const steps = page.getByRole("region", { name: "First steps" });
  await steps.waitFor();
  await expectAccessibleEverywhere(page);
  expect(await steps.getByLabel("Done").count()).toBe(1);
  const administrator = await world.stack.administrator();
  const submission = { repository: repo.path, prompt: "Say done" };
  const { jobId } = await administrator.mutation(api.jobs.submit, submission);
  await page.getByText("Jobs wait and no executor is online.").waitFor();
  await world.stack.addExecutor("late");
  await page.getByText("Jobs wait and no executor is online.").waitFor({ state: "hidden" });
  await page.getByRole("region", { name: "Executors" }).getByText("late").waitFor();
  await world.stack.ended(jobId);
  await steps.waitFor({ state: "hidden" });
  expect(complaints).toEqual([]);
});

test("check 2: by axe in both themes, on a desktop and a phone", async () => {
  const { page } = await openDashboard(world, "/");
  await page.getByText("Spend, 24 h").waitFor();
  await expectAccessibleEverywhere(page);
});

test("check 3: g j goes to the jobs, ? lists them, Ctrl K finds a page", async () => {
  const { page } = await openDashboard(world, "/");
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("j");
  await page.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await expectAccessibleEverywhere(page);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("over");
  await expectAccessibleEverywhere(page);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  await page.setViewportSize({ width: 375, height: 800 });
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("dialog", { name: "Fondation" }).waitFor();
  await expectAccessibleEverywhere(page);
});
