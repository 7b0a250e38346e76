/** The settings, tab by tab, as an administrator and as who may only look. */
import type { Page } from "playwright-core";
import { Secret, TOTP } from "otpauth";
import { beforeAll, describe, expect, test } from "vitest";
import { ConvexHttpClient } from "convex/browser";
import { api } from "../../convex/_generated/api.js";
import {
  addPerson,
  expectAccessibleEverywhere,
  openDashboard,
  runAsOperator,
  startWorld,
  type World,
} from "./support.js";

let world: World;
let administrator: ConvexHttpClient;
let page: Page;

beforeAll(async () => {
  world = await startWorld();
  administrator = await world.stack.administrator();
  ({ page } = await openDashboard(world, "/settings"));
});

async function open(tab: string): Promise<void> {
  await page.goto(`${world.url}/settings?tab=${tab}`);
  await page.getByRole("tab", { selected: true }).waitFor();
}

const region = (name: string | RegExp) => page.getByRole("region", { name }).first();
const dialog = () => page.getByRole("dialog");

describe("you", () => {
  test("a wrong password is refused with its sentence, and nothing typed is lost", async () => {
    await open("account");
    await region("Password").getByLabel("Password now").fill("certainly not it");
    await region("Password").getByLabel("New password").fill("another long password");
    await region("Password").getByRole("button", { name: "Change password" }).click();
    await region("Password").getByRole("alert").waitFor();
    expect(await region("Password").getByLabel("New password").inputValue()).not.toBe("");
    await expectAccessibleEverywhere(page);
  });

  test("one-time codes: on with a first code, recovery codes shown once, off with one of them", async () => {
    const person = await addPerson(world, "tess", "viewer");
    const other = (await openDashboard(world, "/settings", { as: person })).page;
    const panel = other.getByRole("region", { name: "Second factor" });
    await panel.getByRole("button", { name: "Set up one-time codes" }).click();
    const seed = await panel.getByLabel("the seed", { exact: true }).innerText();
    const code = new TOTP({ secret: Secret.fromBase32(seed.trim()) }).generate();
    await panel.getByLabel("Code of the app").fill("000000");
    await panel.getByRole("button", { name: "Turn on" }).click();
    await panel.getByRole("alert").waitFor();
    await panel.getByLabel("Code of the app").fill(code);
    await panel.getByRole("button", { name: "Turn on" }).click();
    const codes = await panel.getByLabel("the recovery codes", { exact: true }).innerText();
    await panel.getByRole("button", { name: "I have kept them" }).click();
    await panel.getByText("On", { exact: true }).waitFor();
    await panel.getByLabel("Code of the app").fill(codes.split("\n")[0] ?? "");
    await panel.getByRole("button", { name: "Turn off" }).click();
    await panel.getByText("Off", { exact: true }).waitFor();
  });

  test("other sessions end at a press; this one is named", async () => {
    await world.stack.session();
    await open("account");
    await region("Sessions").getByText("This one").waitFor();
    await region("Sessions").getByRole("button", { name: "End all others" }).click();
    await region("Sessions").getByRole("button", { name: "End all others" }).waitFor({
      state: "hidden",
    });
    // The administrator of these tests is one of them.
    administrator = await world.stack.administrator();
  });

  test("an API key is shown once, works, is listed by its last four, and ends at once", async () => {
    await open("account");
    await region("API keys").getByRole("button", { name: "New key" }).click();
    await dialog().getByLabel("Name").fill("ci");
    await expectAccessibleEverywhere(page);
    await dialog().getByLabel("It may do").selectOption("viewer");
    await dialog().getByRole("button", { name: "Make key" }).click();
    const key = (await dialog().getByLabel("the key", { exact: true }).innerText()).trim();
    await dialog().getByRole("button", { name: "I have kept it" }).click();
    const client = new ConvexHttpClient(world.stack.url, { logger: false });
    expect(await client.mutation(api.auth.exchangeKey, { key })).toMatchObject({ ok: true });
    await region("API keys")
      .getByText(`…${key.slice(-4)}`)
      .waitFor();
    expect(await page.content()).not.toContain(key);
    await region("API keys").getByRole("button", { name: "Revoke ci" }).click();
    await page.getByRole("alertdialog").waitFor();
    await expectAccessibleEverywhere(page);
    await page.getByRole("alertdialog").getByRole("button", { name: "Revoke it" }).click();
    await region("API keys").getByText("No key.").waitFor();
    expect(await client.mutation(api.auth.exchangeKey, { key })).toMatchObject({ ok: false });
  });
});

describe("people", () => {
  test("added, given another role, disabled", async () => {
    await open("people");
    await page.getByRole("button", { name: "Add a person" }).click();
    await dialog().getByLabel("Name").fill("otto");
    await dialog().getByLabel("First password").fill("a password that is long");
    await expectAccessibleEverywhere(page);
    await dialog().getByRole("button", { name: "Add", exact: true }).click();
    await page.getByLabel("Role of otto").selectOption("viewer");
    await page.getByText("otto is viewer now").waitFor();
    await page.getByRole("button", { name: "More for otto" }).click();
    await page.getByRole("menuitem", { name: /password/ }).click();
    await page.getByRole("dialog", { name: "Another password for otto" }).waitFor();
    await expectAccessibleEverywhere(page);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "More for otto" }).click();
    await page.getByRole("menuitem", { name: "Disable…" }).waitFor();
    await expectAccessibleEverywhere(page);
    await page.getByRole("menuitem", { name: "Disable…" }).click();
    await page.getByRole("alertdialog").waitFor();
    await expectAccessibleEverywhere(page);
    await page.getByRole("alertdialog").getByRole("button", { name: "Disable" }).click();
    await page.getByText("Disabled", { exact: true }).waitFor();
    const someone = { username: "otto", password: "a password that is long" };
    await expect(world.stack.session(someone)).rejects.toThrow("signing in failed");
  });

  test("the last administrator keeps his role, and the page says why", async () => {
    await open("people");
    const { username } = await world.stack.credentials();
    await page.getByLabel(`Role of ${username}`).selectOption("viewer");
    await page.getByText(`${username} stays administrator`).first().waitFor();
    expect(await page.getByLabel(`Role of ${username}`).inputValue()).toBe("administrator");
  });
});

describe("secrets", () => {
  test("kept by name, shown by the last four, disabled, removed; the value is nowhere on the page", async () => {
    const value = "ghp_000000000000000000000000000000009876";
    await open("secrets");
    await region("Secrets of the deployment").getByRole("button", { name: "Set a secret" }).click();
    await dialog().getByLabel("Name").fill("octo/hello");
    await dialog().getByLabel("Value").fill(value);
    await expectAccessibleEverywhere(page);
    await dialog().getByRole("button", { name: "Keep it" }).click();
    const row = page.getByRole("row").filter({ hasText: "octo/hello" });
    await row.getByText("…9876").waitFor();
    expect(await page.content()).not.toContain(value);
    await row.getByRole("button", { name: /^More for/ }).click();
    await page.getByRole("menuitem", { name: "Disable" }).click();
    await row.getByText("Disabled").waitFor();
    await expectAccessibleEverywhere(page);
    await row.getByRole("button", { name: /^More for/ }).click();
    await page.getByRole("menuitem", { name: "Remove…" }).click();
    await page.getByRole("alertdialog").waitFor();
    await expectAccessibleEverywhere(page);
    await page.getByRole("alertdialog").getByRole("button", { name: "Remove it" }).click();
    await row.waitFor({ state: "hidden" });
  });

  test("a Claude credential of the deployment: kept, disabled, enabled; one's own token", async () => {
    await open("secrets");
    const panel = region("Claude credentials");
    await panel.getByRole("button", { name: "Add a credential" }).click();
    await dialog().getByLabel("Label").fill("team");
    await dialog().getByLabel("Value").fill("sk-ant-oat01-0123456789abcdef");
    await expectAccessibleEverywhere(page);
    await dialog().getByRole("button", { name: "Keep it" }).click();
    await panel.getByRole("button", { name: "Disable team" }).click();
    await panel.getByText("disabled", { exact: true }).waitFor();
    await panel.getByRole("button", { name: "Enable team" }).click();
    await panel.getByText("ok", { exact: true }).waitFor();
    const mine = region("Your tokens for clones");
    await mine.getByLabel("Token").fill("ghp_000000000000000000000000000000001234");
    await mine.getByRole("button", { name: "Keep token" }).click();
    await mine.getByText("ends in 1234").waitFor();
    await mine.getByRole("button", { name: "Remove the token for github.com" }).click();
    await mine.getByText("ends in 1234").waitFor({ state: "hidden" });
  });
});

describe("the queue", () => {
  test("paused with a reason that everybody reads, and resumed; its limits are kept", async () => {
    await open("queue");
    await region("Pause").getByLabel("Why").fill("We move house");
    await region("Pause").getByRole("button", { name: "Pause everything" }).click();
    await region("Pause").getByText("We move house").waitFor();
    const status = await administrator.query(api.queue.status, {});
    expect(status.paused).toMatchObject({ kind: "pause", reason: "We move house" });
    await expectAccessibleEverywhere(page);
    await region("Pause").getByRole("button", { name: "Resume" }).click();
    await region("Pause").getByLabel("Why").waitFor();
    await region("Jobs at once").getByLabel("In all").fill("7");
    await region("Jobs at once").getByRole("button", { name: "Save limits" }).click();
    await page.getByText("Limits saved").waitFor();
    const { limits } = await administrator.query(api.queue.status, {});
    expect(limits).toMatchObject({ running: 7, perSubmitter: null });
    const gates = region("Limits of single keys and people");
    await gates.getByLabel("Whose").fill("submitter:user:otto");
    await gates.getByRole("button", { name: "Set limit" }).click();
    await gates.getByText("submitter:user:otto: paused").waitFor();
    await gates.getByRole("button", { name: /^Take the limit/ }).click();
    await gates.getByText("submitter:user:otto: paused").waitFor({ state: "hidden" });
  });

  test("the emergency stop wants its word; lifted, everything goes on", async () => {
    await open("queue");
    await page.getByRole("button", { name: "Stop everything…" }).click();
    await dialog().getByLabel("Why").fill("A leak");
    const stop = dialog().getByRole("button", { name: "Stop everything" });
    expect(await stop.getAttribute("aria-disabled")).toBe("true");
    await expectAccessibleEverywhere(page);
    await dialog()
      .getByLabel(/^Type stop/)
      .fill("stop");
    await stop.click();
    await region("Emergency stop").getByText("A leak").waitFor();
    expect(await administrator.query(api.emergency.status, {})).toMatchObject({ reason: "A leak" });
    await region("Emergency stop").getByRole("button", { name: "Lift the stop" }).click();
    await page.getByRole("button", { name: "Stop everything…" }).waitFor();
  });
});

describe("budgets", () => {
  test("set for a person by the day, shown with what is spent of it, removed after a question", async () => {
    await open("budgets");
    await page.getByText("No budget yet").waitFor();
    await page.getByRole("button", { name: "Set a budget" }).click();
    await dialog().getByLabel("Whose spending").selectOption("user");
    await dialog().getByLabel("Dollars").fill("20");
    await dialog().getByRole("button", { name: "Set it" }).click();
    await dialog().getByText("Name a person.").waitFor();
    await expectAccessibleEverywhere(page);
    await dialog().getByLabel("Person").fill("ada");
    await dialog().getByRole("button", { name: "Set it" }).click();
    await page.getByText("ada, $20.00 a day").waitFor();
    const [budget] = await administrator.query(api.budgets.list, {});
    expect(budget).toMatchObject({ scope: { kind: "user", name: "user:ada" }, limitUsd: 20 });
    await expectAccessibleEverywhere(page);
    await page.getByRole("button", { name: "Remove the budget of ada" }).click();
    await page.getByRole("alertdialog").waitFor();
    await expectAccessibleEverywhere(page);
    await page.getByRole("alertdialog").getByRole("button", { name: "Remove it" }).click();
    await page.getByText("No budget yet").waitFor();
  });
});

describe("alerts and retention", () => {
  test("an open alert is taken at a press; the rules are kept", async () => {
    await administrator.mutation(api.alerts.configure, { slowMs: 60_000 });
    const submission = { repository: "octo/hello", prompt: "Wait for an executor" };
    await administrator.mutation(api.jobs.submit, submission);
    await open("alerts");
    const rules = region("What raises an alert");
    await rules.getByLabel("Spend of a day ($)").fill("12.5");
    await rules.getByRole("button", { name: "Save rules" }).click();
    await page.getByText("Rules saved").waitFor();
    const settings = await administrator.query(api.alerts.settings, {});
    expect(settings).toMatchObject({ spendDailyUsd: 12.5, slowMs: 60_000 });
    await page.getByRole("button", { name: "Send a test" }).click();
    await page
      .getByText(/ALERT_WEBHOOK_URL first/)
      .first()
      .waitFor();
    await expectAccessibleEverywhere(page);
  });

  test("a dry run counts what the typed days would delete, and deletes nothing", async () => {
    await runAsOperator(world, "metrics:tick");
    await open("retention");
    const days = region("Days until it is deleted");
    await days.getByLabel("Ended jobs").fill("0");
    await days.getByRole("button", { name: "Save days" }).click();
    await days.getByRole("alert").waitFor();
    await days.getByLabel("Ended jobs").fill("30");
    await days.getByRole("button", { name: "Save days" }).click();
    await page.getByText("Retention saved").waitFor();
    const { days: kept } = await administrator.query(api.retention.settings, {});
    expect(kept.jobs).toBe(30);
    await days.getByRole("button", { name: "Count what these days would delete" }).click();
    await days.getByText("Nothing is old enough.").waitFor();
    await days.getByRole("button", { name: "Delete now…" }).click();
    await page.getByRole("alertdialog").waitFor();
    await expectAccessibleEverywhere(page);
  });
});

test("check 22: who may only look sees each tab, and what he may not do says why", async () => {
  const viewer = await addPerson(world, "vic", "viewer");
  const opened = await openDashboard(world, "/settings?tab=queue", { as: viewer });
  const stop = opened.page.getByRole("button", { name: "Stop everything…" });
  await stop.focus();
  await opened.page
    .getByText("This needs the role administrator; yours is viewer.")
    .first()
    .waitFor();
  for (const [tab, words] of [
    ["people", "Your role may not see the people"],
    ["secrets", "Your role may not see the secrets of the deployment"],
    ["alerts", "None is open."],
    ["retention", "The last run"],
  ] as const) {
    await opened.page.goto(`${world.url}/settings?tab=${tab}`);
    await opened.page.getByText(words).first().waitFor();
    const active = opened.page
      .getByRole("tabpanel")
      .getByRole("button")
      .and(opened.page.locator(":not([aria-disabled])"));
    expect(await active.count()).toBe(0);
  }
  expect(opened.complaints).toEqual([]);
});
