/** A job's page while people and runs talk: messages, interrupts, questions with their answers, follow-ups. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import type { ConvexHttpClient } from "convex/browser";
import type { Conversation, Script, ToolCall } from "../../cli/demo/messagesScript.js";
import { api } from "../../convex/_generated/api.js";
import type { JobDetail } from "../../convex/protocol/view.js";
import { gitRepo } from "../support/gitRepo.js";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";
import {
  addPerson,
  expectAccessibleEverywhere,
  holdMutations,
  openDashboard,
  startWorld,
  type World,
} from "./support.js";

type JobId = JobDetail["jobId"];

const repo = gitRepo({ "README.md": "# hello\n" });
const signs = tempDir("signs");
const bash = (command: string): ToolCall => ({
  name: "Bash",
  input: { command, description: "Run" },
});
/** A tool that ends when the test says so. */
const untilSign = (name: string): ToolCall =>
  bash(`touch ${name}; until [ -e ${path.join(signs, name)} ]; do sleep 0.05; done`);
const giveSign = (name: string): void => {
  writeFileSync(path.join(signs, name), "");
};
const done = { text: "Done." };
const MESSAGE = "Mind the tests too";
/** Whether the message is among what the model was given, in whatever words the CLI wraps it. */
const heard = ({ said }: Conversation) => ({
  text: said.some((text) => text.includes(MESSAGE)) ? "I have heard it." : "I have heard nothing.",
});
/** What is asked about tries to be more than text. */
const ASKED = 'touch asked; echo "<img src=x onerror=window.pwned=1>"';
const SCRIPTS: Record<string, Script["steps"]> = {
  Hear: [{ tools: [untilSign("Hear")] }, heard, heard],
  Break: [{ tools: [bash("sleep 600")] }, done],
  Halt: [{ tools: [untilSign("Halt")] }, { tools: [bash("touch never")] }, done],
  Ask: [{ tools: [bash(ASKED)] }, done],
  Refuse: [{ tools: [bash(ASKED)] }, ({ toolResults }) => ({ text: toolResults.join() })],
  Line: [{ tools: [bash("echo one > Line")] }, done, { tools: [bash("echo two >> Line")] }, done],
};
const scriptOf = ({ prompt }: Conversation): Script => {
  const name = Object.keys(SCRIPTS).find((key) => prompt.startsWith(key)) ?? "Line";
  return { steps: SCRIPTS[name] ?? [done] };
};

let world: World;
let administrator: ConvexHttpClient;
beforeAll(async () => {
  world = await startWorld({ script: scriptOf, repositories: [repo.path], executors: 1 });
  administrator = await world.stack.administrator();
});

type Extra = { approval?: { tools: string[] } };
async function submit(prompt: string, extra: Extra = {}): Promise<JobId> {
  const limits = { maxBudgetUsd: 5 };
  const submission = { repository: repo.path, prompt, concurrencyKey: null, limits, ...extra };
  return (await administrator.mutation(api.jobs.submit, submission)).jobId;
}

const state = (page: Page, word: string) =>
  page.locator("header").getByText(word, { exact: true }).first();
const toast = (page: Page, text: string) => page.getByText(text).first();
const said = (page: Page) => page.getByRole("region", { name: "Said to the run" });
const box = (page: Page) => page.getByLabel("Tell the run something");
const underWay = (page: Page) =>
  page.getByRole("list", { name: "Conversation" }).getByText("running", { exact: true }).waitFor();
const chooseFromMenu = async (page: Page, entry: string): Promise<void> => {
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("menuitem", { name: entry }).click();
};

test("a message is shown at once, and with the run's word when it has taken it up; the cost is live", async () => {
  const jobId = await submit("Hear");
  const { page, complaints } = await openDashboard(world, `/jobs/${jobId}`);
  await underWay(page);
  const glance = page.getByRole("region", { name: "At a glance" });
  await glance.getByText(/so far/).waitFor();
  await box(page).fill(MESSAGE);
  await page.keyboard.press("Control+Enter");
  await toast(page, "The message is on its way to the run").waitFor();
  expect(await box(page).inputValue()).toBe("");
  await said(page).getByText(MESSAGE).waitFor();
  await said(page).getByText("delivered").waitFor();
  await expectAccessibleEverywhere(page);
  giveSign("Hear");
  await said(page).getByText("acknowledged").waitFor();
  await state(page, "Succeeded").waitFor();
  await page.getByText("I have heard it.").first().waitFor();
  await box(page).waitFor({ state: "hidden" });
  expect(complaints).toEqual([]);
});

test("an interrupt says what it ends before it does; a stop after the turn is asked for once more", async () => {
  const broken = await submit("Break");
  const { page } = await openDashboard(world, `/jobs/${broken}`);
  await underWay(page);
  await chooseFromMenu(page, "Interrupt…");
  const dialog = page.getByRole("dialog", { name: "Interrupt the run?" });
  await dialog.getByLabel("What to do instead").fill("Not that way");
  await dialog.getByRole("button", { name: "Interrupt and go on" }).waitFor();
  await dialog.getByLabel("What to do instead").fill("");
  await expectAccessibleEverywhere(page);
  await dialog.getByRole("button", { name: "Interrupt and end the run" }).click();
  await toast(page, "The run is being interrupted").waitFor();
  await state(page, "Canceled").waitFor();
  await said(page).getByText("acknowledged").waitFor();

  const halted = await submit("Halt");
  await page.goto(`${world.url}/jobs/${halted}`);
  await underWay(page);
  await chooseFromMenu(page, "Stop after this turn…");
  const ask = page.getByRole("alertdialog", { name: "Stop after this turn?" });
  await expectAccessibleEverywhere(page);
  await ask.getByRole("button", { name: "Stop the run" }).click();
  await said(page).getByText("Stop after this turn").waitFor();
  await said(page).getByText("acknowledged").waitFor();
  giveSign("Halt");
  await state(page, "Canceled").waitFor();
});

test("what a run asks stands above everything, inert; an answer sends it on, a viewer may only look", async () => {
  const jobId = await submit("Ask", { approval: { tools: ["Bash(touch *)"] } });
  const { page, complaints } = await openDashboard(world, "/");
  await page.getByRole("link", { name: "May it call Bash?" }).click();
  const card = page.getByRole("region", { name: "May the run call Bash?" });
  await card.getByText(ASKED).waitFor();
  await card.getByText(/Refused in 23h 59m unless somebody answers\./).waitFor();
  await page
    .locator("header")
    .getByText(/^Waiting.*asks you$/)
    .waitFor();
  await expectAccessibleEverywhere(page);
  expect(await page.evaluate(() => "pwned" in window)).toBe(false);

  const vera = await addPerson(world, "vera", "viewer");
  const { page: other } = await openDashboard(world, `/jobs/${jobId}`, { as: vera });
  const allow = other.getByRole("button", { name: "Allow" });
  await allow.focus();
  expect(await allow.getAttribute("aria-disabled")).toBe("true");
  await other
    .locator("[role=tooltip]:visible")
    .getByText("This needs the role operator; yours is viewer.")
    .waitFor();

  await card.getByLabel("A word with the answer").fill("Gently");
  await card.getByRole("button", { name: "Allow" }).click();
  await toast(page, "The call is allowed: the run goes on").waitFor();
  await state(page, "Succeeded").waitFor();
  await allow.waitFor({ state: "hidden" });
  await page.getByText("attempt 2 of 3").first().waitFor();
  expect(complaints).toEqual([]);
});

test("a call that is refused with a word: the model hears it", async () => {
  const jobId = await submit("Refuse", { approval: { tools: ["Bash"] } });
  const { page } = await openDashboard(world, `/jobs/${jobId}`);
  await page.getByLabel("A word with the answer").fill("Not on a Sunday");
  await page.getByRole("button", { name: "Deny" }).click();
  await toast(page, "The call is refused: the run goes on").waitFor();
  await state(page, "Succeeded").waitFor();
  await page
    .getByText(/Not on a Sunday/)
    .first()
    .waitFor();
});

test("an answer that came too late is taken back with the reason", async () => {
  const jobId = await submit("Ask again", { approval: { tools: ["Bash(touch *)"] } });
  const { page } = await openDashboard(world, `/jobs/${jobId}`);
  const allow = page.getByRole("button", { name: "Allow" });
  await allow.waitFor();
  const { letGo } = await holdMutations(page);
  await allow.click();
  await allow.waitFor({ state: "hidden" });
  const [question] = await administrator.query(api.questions.list, { jobId });
  if (question === undefined) throw new Error("no question");
  const { questionId } = question;
  await administrator.mutation(api.questions.answer, { questionId, allow: false });
  letGo();
  await toast(page, "The answer was not taken").waitFor();
  await toast(page, "The question was settled before: refused.").waitFor();
});

test("an ended job is followed up: a text, then the page of the new one; once", async () => {
  const jobId = await submit("Line");
  await world.stack.ended(jobId);
  const { page, complaints } = await openDashboard(world, `/jobs/${jobId}`);
  const followUp = page.locator("header").getByRole("button", { name: "Follow up" });
  await followUp.click();
  const dialog = page.getByRole("dialog", { name: "Follow up" });
  await dialog.getByLabel("What is next").fill("Once more");
  await expectAccessibleEverywhere(page);
  await dialog.getByRole("button", { name: "Follow up" }).click();
  await page.getByRole("heading", { name: "Once more", level: 1 }).waitFor();
  await state(page, "Succeeded").waitFor();
  await page.getByRole("tab", { name: /^Changes/ }).click();
  await page.getByText("two").first().waitFor();
  await page.locator("header").getByText("follows up").getByRole("link").click();
  await waitFor("the first job", () => Promise.resolve(page.url().includes(jobId)));
  await followUp.focus();
  await page
    .locator("[role=tooltip]:visible")
    .getByText(/^Nothing of its session is kept/)
    .waitFor();
  expect(complaints).toEqual([]);
});
