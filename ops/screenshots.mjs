// Takes the pictures of docs/screenshots/: every page of the dashboard over the demo's sample jobs, light,
// dark and on a phone. `npm run screenshots`; needs the build and a Chromium. Names as arguments take those alone.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";
import { findBrowser, root, signIn, startDemo } from "./demoSite.mjs";

const folder = path.join(root, "docs/screenshots");
/** So many more jobs, so far apart, before the pictures: metrics are counted by the minute. */
const MORE_JOBS = 6;
const APART_MS = 30_000;
const QUALITY = 80;

const LOOKS = [
  { look: "light", width: 1280, height: 860, colorScheme: "light", scale: 1.5 },
  { look: "dark", width: 1280, height: 860, colorScheme: "dark", scale: 1.5 },
  { look: "phone", width: 390, height: 800, colorScheme: "light", scale: 2 },
];

const DONE = "Look around this repository";

/** A tab of the job that the demo ran first. */
const job = (tab) => async (page, url) => {
  await page.goto(`${url}/jobs?q=${encodeURIComponent(DONE)}`);
  await page.getByRole("link", { name: DONE }).first().click();
  await page.getByRole("heading", { level: 1, name: DONE }).waitFor();
  const address = new URL(page.url());
  await page.goto(`${url}${address.pathname}?tab=${tab}`);
};

/** Name of the picture → how to get there, from the address of the dashboard. */
const SHOTS = {
  overview: "/",
  jobs: "/jobs",
  newJob: "/jobs/new",
  job: job("activity"),
  jobLog: job("log"),
  jobResult: job("result"),
  jobChanges: job("changes"),
  jobArtifacts: job("artifacts"),
  jobAttempts: job("attempts"),
  jobDetails: job("details"),
  executors: "/executors",
  enrol: async (page, url) => {
    await page.goto(`${url}/executors`);
    await page.getByRole("button", { name: "Enrol an executor" }).first().click();
    await page.getByLabel("Name").fill("attic");
  },
  metrics: "/metrics?range=hour",
  schedules: "/schedules",
  schedule: "/schedules?open=new",
  audit: "/audit",
  settings: "/settings",
  people: "/settings?tab=people",
  secrets: "/settings?tab=secrets",
  queue: "/settings?tab=queue",
  budgets: "/settings?tab=budgets",
  alerts: "/settings?tab=alerts",
  retention: "/settings?tab=retention",
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in SHOTS));
if (unknown.length > 0) {
  process.stderr.write(
    `no picture ${unknown.join(", ")}; choose from ${Object.keys(SHOTS).join(", ")}\n`,
  );
  process.exit(64);
}
const names = asked.length > 0 ? asked : Object.keys(SHOTS);

const executablePath = findBrowser();
const site = await startDemo();
let browser;
try {
  browser = await chromium.launch({
    executablePath,
    args: ["--disable-gpu"],
    chromiumSandbox: false,
  });
  await furnish();
  mkdirSync(folder, { recursive: true });
  for (const look of LOOKS) await shootAll(look);
} finally {
  await browser?.close();
  await site.stop();
}

/** What a deployment in use has and the demo has not: people, keys, secrets, a budget. Typed in as a person does. */
async function furnish() {
  const page = await browser.newPage();
  await signIn(page, site);
  const fill = async (tab, button, fields, action) => {
    await page.goto(`${site.url}/settings?tab=${tab}`);
    await page.getByRole("button", { name: button }).first().click();
    const dialog = page.getByRole("dialog");
    for (const [label, value] of fields) await dialog.getByLabel(label).first().fill(value);
    await dialog.getByRole("button", { name: action, exact: true }).click();
  };
  const password = ["First password", "a password for the pictures"];
  await fill("people", "Add a person", [["Name", "ada"], password], "Add");
  await page.getByRole("row").filter({ hasText: "ada" }).waitFor();
  await fill("account", "New key", [["Name", "continuous integration"]], "Make key");
  await page.getByRole("button", { name: "I have kept it" }).click();
  const token = "ghp_0000000000000000000000000000000042";
  const secret = [
    ["Name", "octo/hello"],
    ["Value", token],
  ];
  await fill("secrets", "Set a secret", secret, "Keep it");
  await page.getByText("…0042").waitFor();
  const credential = [
    ["Label", "team"],
    ["Value", "sk-ant-oat01-of-the-pictures-7777"],
    ["Attempts at once", "4"],
  ];
  await fill("secrets", "Add a credential", credential, "Keep it");
  await page.getByRole("button", { name: "Disable team" }).waitFor();
  await fill("budgets", "Set a budget", [["Dollars", "25"]], "Set it");
  await page.getByText("Everybody, $25.00").waitFor();
  for (let n = 0; n < MORE_JOBS; n += 1) {
    await page.goto(`${site.url}/schedules`);
    await page.getByRole("button", { name: "More for Nightly tidy-up" }).click();
    await page.getByRole("menuitem", { name: "Run now" }).click();
    await page.getByRole("heading", { name: "Look for dead code" }).waitFor();
    await new Promise((resolve) => setTimeout(resolve, APART_MS));
  }
  await page.close();
}

async function shootAll({ look, width, height, colorScheme, scale }) {
  const context = await browser.newContext({
    viewport: { width, height },
    deviceScaleFactor: scale,
    colorScheme,
    reducedMotion: "reduce",
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const page = await context.newPage();
  await signIn(page, site);
  for (const name of names) {
    const way = SHOTS[name];
    if (typeof way === "string") await page.goto(site.url + way);
    else await way(page, site.url);
    await page.locator("h1").first().waitFor();
    await page.locator(".animate-pulse").first().waitFor({ state: "detached" });
    await page.waitForLoadState("networkidle");
    await shoot(page, `${name}-${look}`);
  }
  await context.close();
}

/** As WebP, which a browser writes itself: a quarter of a PNG. */
async function shoot(page, name) {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", {
    format: "webp",
    quality: QUALITY,
  });
  await session.detach();
  writeFileSync(path.join(folder, `${name}.webp`), Buffer.from(data, "base64"));
}
