/** The log viewer, fed through the executor's own functions under real leases. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { ConvexHttpClient } from "convex/browser";
import { api } from "../../convex/_generated/api.js";
import { LOG_APPEND_CHARS_MAX, LOG_ENTRY_CHARS_MAX } from "../../convex/protocol/limits.js";
import { handExecutor, type HandAttempt, type HandExecutor } from "../support/handExecutor.js";
import { waitFor } from "../support/waitFor.js";
import { expectAccessibleEverywhere, openDashboard, startWorld, type World } from "./support.js";

const LINES = 100_000;
const LINES_OF_ENTRY = 200;
const DOM_NODES_MAX = 500;
/** Bytes on the wire for each byte of a log. */
const AMPLIFICATION_MAX = 4;

let world: World;
let administrator: ConvexHttpClient;
let executor: HandExecutor;
/** A log of 100,000 lines. */
let long: string;

beforeAll(async () => {
  world = await startWorld();
  administrator = await world.stack.administrator();
  executor = await handExecutor(administrator, { url: world.stack.url, name: "hand", slots: 12 });
  const { jobId, attempt } = await begun("A long log");
  await fill(attempt);
  await attempt.finish({ kind: "succeeded" });
  long = jobId;
});

/** A job that runs, and the attempt that a test moves. */
async function begun(prompt: string): Promise<{ jobId: string; attempt: HandAttempt }> {
  const submission = { repository: "octo/hello", prompt, concurrencyKey: null };
  const { jobId } = await administrator.mutation(api.jobs.submit, submission);
  return { jobId, attempt: await executor.take(jobId) };
}

const lineText = (n: number): string =>
  `line ${n} of a long log, in which ${n === 54_321 ? "the needle" : "some straw"} lies`;

/** Puts the lines in, as answers of tools: as many in one call as the backend takes. */
async function fill(attempt: HandAttempt): Promise<void> {
  const texts = Array.from({ length: LINES / LINES_OF_ENTRY }, (_, index) =>
    Array.from({ length: LINES_OF_ENTRY }, (_line, at) =>
      lineText(index * LINES_OF_ENTRY + at + 1),
    ).join("\n"),
  );
  const atOnce = Math.floor(LOG_APPEND_CHARS_MAX / LOG_ENTRY_CHARS_MAX);
  for (let from = 0; from < texts.length; from += atOnce) {
    await attempt.say("toolResult", ...texts.slice(from, from + atOnce));
  }
}

const lines = (page: Page) => page.getByRole("region", { name: "Lines of the log" });
const line = (page: Page, n: number) => page.locator(`[data-line="${n}"]`);
const status = (page: Page, text: string) =>
  page.getByRole("region", { name: "Log", exact: true }).getByText(text, { exact: true });
const top = (page: Page) => lines(page).evaluate((box) => box.scrollTop);

/** Counts the bytes of all WebSocket messages of the page, both ways, from now on. */
async function countWire(page: Page): Promise<() => number> {
  const session = await page.context().newCDPSession(page);
  let bytes = 0;
  const add = ({ response }: { response: { payloadData: string } }): void => {
    bytes += Buffer.byteLength(response.payloadData);
  };
  session.on("Network.webSocketFrameReceived", add);
  session.on("Network.webSocketFrameSent", add);
  await session.send("Network.enable");
  return () => bytes;
}

describe("100,000 lines", () => {
  test("all are there in few elements, for few bytes; search counts every hit and goes to each", async () => {
    const { page, complaints } = await openDashboard(world, `/jobs/${long}?tab=details`);
    await page.getByRole("tab", { name: "Log" }).waitFor();
    const wire = await countWire(page);
    const from = performance.now();
    await page.getByRole("tab", { name: "Log" }).click();
    await line(page, LINES)
      .or(page.getByText(lineText(LINES)))
      .first()
      .waitFor();
    const painted = performance.now() - from;
    await status(page, "100,000 lines").waitFor();
    await line(page, LINES).waitFor();
    const whole = performance.now() - from;
    // eslint-disable-next-line no-console -- how long it took is a figure, not a test
    console.info(
      `100,000 lines: painted after ${Math.round(painted)} ms, whole after ${Math.round(whole)} ms`,
    );
    const payload = Array.from({ length: LINES }, (_, index) => lineText(index + 1).length + 1);
    const share = wire() / payload.reduce((sum, chars) => sum + chars, 0);
    expect(share).toBeLessThanOrEqual(AMPLIFICATION_MAX);
    const nodes = () => page.evaluate(() => document.querySelectorAll("*").length);
    expect(await nodes()).toBeLessThan(DOM_NODES_MAX);

    await page.getByRole("searchbox", { name: "Search the log" }).fill("STRAW");
    await status(page, "99,999 matches").waitFor();
    await page.getByRole("searchbox", { name: "Search the log" }).fill("needle");
    await status(page, "1 match").waitFor();
    await page.keyboard.press("Enter");
    await status(page, "1 of 1").waitFor();
    await line(page, 54_321).getByText("needle").waitFor();
    expect(await line(page, 54_321).getAttribute("aria-current")).toBe("location");
    await page.getByRole("searchbox", { name: "Search the log" }).fill("line 777");
    await status(page, "111 matches").waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await status(page, "2 of 111").waitFor();
    await line(page, 7_770).waitFor();
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.press("Shift+Enter");
    await status(page, "111 of 111").waitFor();
    await line(page, 77_799).waitFor();
    expect(await nodes()).toBeLessThan(DOM_NODES_MAX);
    expect(complaints).toEqual([]);
  });

  test("an address names a line: it is in sight and marked, also after a reload; its number leads there", async () => {
    const { page, complaints } = await openDashboard(world, `/jobs/${long}?tab=log#L4321`);
    await line(page, 4_321).waitFor();
    await page.reload();
    await line(page, 4_321).waitFor();
    expect(await line(page, 4_321).getAttribute("aria-current")).toBe("location");
    expect(await line(page, 4_321).isVisible()).toBe(true);
    const before = await top(page);
    await line(page, 4_325).getByRole("link", { name: "4325" }).click();
    await waitFor("the address", () => new URL(page.url()).hash === "#L4325");
    await waitFor(
      "the mark",
      async () => (await line(page, 4_325).getAttribute("aria-current")) === "location",
    );
    expect(Math.abs((await top(page)) - before)).toBeLessThan(400);
    expect(complaints).toEqual([]);
  });

  test("is saved as a file with all of its lines", async () => {
    const { page } = await openDashboard(world, `/jobs/${long}?tab=log`);
    await status(page, "100,000 lines").waitFor();
    const saving = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download the log" }).click();
    const saved = readFileSync(await (await saving).path(), "utf8");
    expect(saved.trimEnd().split("\n")).toHaveLength(LINES);
    expect(saved).toContain(lineText(54_321));
  });
});

describe("a log that grows", () => {
  test("the end is followed until the reader goes up; then nothing moves, what is new is counted, End follows on", async () => {
    const { jobId, attempt } = await begun("A growing log");
    const first = Array.from({ length: 200 }, (_, index) => `first ${index + 1}`);
    await attempt.say("stderr", ...first);
    const { page, complaints } = await openDashboard(world, `/jobs/${jobId}?tab=log`);
    await line(page, 200).waitFor();
    await attempt.say("stderr", "came while following");
    await line(page, 201).waitFor();
    const box = await lines(page).boundingBox();
    for (const goUp of [
      async () => {
        await page.mouse.move((box?.x ?? 0) + 200, (box?.y ?? 0) + 200);
        await page.mouse.wheel(0, -300);
      },
      async () => {
        await lines(page).focus();
        await page.keyboard.press("PageUp");
      },
    ]) {
      const end = await top(page);
      await goUp();
      const pill = page.getByRole("button", { name: /To the end|new line/ });
      await pill.waitFor();
      await waitFor("the view to have moved", async () => (await top(page)) < end);
      const [still, height] = [await settled(page), await lines(page).evaluate(heightOf)];
      await attempt.say("stderr", "unseen", "unseen too");
      await page.getByRole("button", { name: "2 new lines" }).waitFor();
      expect(await top(page)).toBe(still);
      expect(await lines(page).evaluate(heightOf)).toBeGreaterThan(height);
      await lines(page).focus();
      await page.keyboard.press("End");
      await pill.waitFor({ state: "hidden" });
      await attempt.say("stderr", "seen again");
      await page.getByText("seen again").last().waitFor();
      await waitFor("the end to be in sight", () => lines(page).evaluate(isAtEnd));
    }
    expect(complaints).toEqual([]);
  });

  test("each entry is sent once: for few bytes, and the search finds what comes", async () => {
    const { jobId, attempt } = await begun("A log in small pieces");
    await attempt.say("stderr", "the first");
    const { page, complaints } = await openDashboard(world, `/jobs/${jobId}?tab=log`);
    await line(page, 1).waitFor();
    await page.getByRole("searchbox", { name: "Search the log" }).fill("PIECE");
    await status(page, "0 matches").waitFor();
    const wire = await countWire(page);
    let payload = 0;
    for (let n = 1; n <= 60; n += 1) {
      const piece = `piece ${n} ${"x".repeat(1_000)}`;
      payload += piece.length;
      await attempt.say("stderr", piece);
      await status(page, n === 1 ? "1 match" : `${n} matches`).waitFor();
    }
    const share = wire() / payload;
    // eslint-disable-next-line no-console -- how long it took is a figure, not a test
    console.info(`a live log in pieces of 1 kB: ${share.toFixed(2)} bytes for each of its own`);
    expect(share).toBeLessThanOrEqual(AMPLIFICATION_MAX);
    expect(complaints).toEqual([]);
  });
});

const heightOf = (box: Element): number => box.scrollHeight;
const isAtEnd = (box: Element): boolean => box.scrollHeight - box.scrollTop - box.clientHeight < 8;

/** Where the view stands once it no longer moves: a wheel is answered smoothly. */
async function settled(page: Page): Promise<number> {
  let last = -1;
  return waitFor("the view to stand still", async () => {
    const now = await top(page);
    const stands = now === last;
    last = now;
    return stands ? now : undefined;
  });
}

describe("what lines look like", () => {
  let jobId: string;
  beforeAll(async () => {
    const started = await begun("A log with everything");
    ({ jobId } = started);
    const { attempt } = started;
    await attempt.say("marker", "cloned", "claude started, model claude-x");
    await attempt.log([
      { kind: "text", text: "I look around." },
      { kind: "tool", text: "Bash ls", call: "call-1", input: '{"command":"ls"}' },
      { kind: "toolResult", text: COLOURS, call: "call-1" },
      { kind: "tool", text: "Bash make", call: "call-2", input: '{"command":"make"}' },
      { kind: "toolResult", text: "error: no rule", call: "call-2" },
      { kind: "retry", text: "request 1 failed (overloaded, status 529), again in 512 ms" },
      { kind: "text", text: "Done." },
    ]);
    await attempt.finish({ kind: "succeeded" });
  });

  test("colours of 16, 256 and all; no escapes; progress is its last word; markup is text", async () => {
    const { page, complaints } = await openDashboard(world, `/jobs/${jobId}?tab=log`);
    const text = async () => lines(page).innerText();
    await lines(page).getByText("100% done").waitFor();
    expect(await text()).not.toMatch(/\u001b|\[\d|10%|50%|title/);
    await lines(page).getByText("<b>not bold</b>").waitFor();
    expect(await lines(page).locator("b").count()).toBe(0);
    const styles = await lines(page)
      .locator("[data-line] span span")
      .evaluateAll((found) =>
        found.map((piece) => [piece.textContent, getComputedStyle(piece).color] as const),
      );
    const plain = await lines(page).evaluate((box) => getComputedStyle(box).color);
    for (const word of ["red", "orange", "true", "colons"]) {
      const [, colour] = styles.find(([content]) => content === word) ?? [];
      expect(colour, word).toBeDefined();
      expect(colour, word).not.toBe(plain);
    }
    expect(new Set(styles.map(([, colour]) => colour)).size).toBeGreaterThanOrEqual(4);
    expect(complaints).toEqual([]);
  });

  test("turns and tools fold; what is looked for unfolds; times are there when asked for", async () => {
    const { page } = await openDashboard(world, `/jobs/${jobId}?tab=log`);
    await lines(page)
      .getByRole("button", { name: /^Set-up/ })
      .waitFor();
    await lines(page)
      .getByRole("button", { name: /^Turn 1.*Bash/ })
      .click();
    await lines(page).getByText("100% done").waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Unfold everything" }).click();
    await lines(page).getByText("100% done").waitFor();
    await page.getByRole("button", { name: "Fold what tools answered" }).click();
    await lines(page).getByText("100% done").waitFor({ state: "hidden" });
    await page.getByRole("searchbox", { name: "Search the log" }).fill("100%");
    await page.keyboard.press("Enter");
    await lines(page).getByText("100%").waitFor();
    await lines(page).getByText("no rule").waitFor({ state: "hidden" });
    expect(await lines(page).locator("time").count()).toBe(0);
    await page.getByRole("button", { name: "Times" }).click();
    expect(await lines(page).locator("time").first().innerText()).toMatch(/^\d\d:\d\d:\d\d$/);
  });

  test("by axe, in both themes, on a desk and on a phone, with a search and with times", async () => {
    const { page } = await openDashboard(world, `/jobs/${jobId}?tab=log`);
    await lines(page).getByText("100% done").waitFor();
    await page.getByRole("button", { name: "Times" }).click();
    await page.getByRole("searchbox", { name: "Search the log" }).fill("o");
    await page.keyboard.press("Enter");
    await expectAccessibleEverywhere(page);
  });
});

/** What programs write to a terminal. */
const COLOURS = [
  "\u001b]0;title\u0007\u001b[31mred\u001b[0m \u001b[38;5;208morange\u001b[39m \u001b[38;2;1;200;3mtrue\u001b[0m",
  "\u001b[38:2::90:90:250mcolons\u001b[m \u001b[1;44;33mon blue\u001b[0m \u001b[7mturned\u001b[27m <b>not bold</b>",
  "10%\r50%\u001b[K\r100% done",
  "\u001b[2J\u001b[1;1Hat the top",
].join("\n");
