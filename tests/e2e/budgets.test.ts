/** Budgets over the real CLI: a run that crosses its line is stopped, and who finds no room waits. */
import { expect, it } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Script, Step } from "../../cli/demo/messagesScript.js";
import { gitRepo } from "../support/gitRepo.js";
import { noneLeftWith, processesWith } from "../support/processes.js";
import { startStack } from "../support/stack.js";
import { waitFor } from "../support/waitFor.js";

const repo = gitRepo();
const bash = (command: string) => ({ name: "Bash", input: { command, description: "Work" } });

/** The first answer keeps within a dollar, the second does not, and its tool runs for a day; asked again, it ends. */
function expensive(): Script {
  const beyond: Step = {
    tools: [bash("sleep 86400")],
    gate: "beyond",
    usage: { input_tokens: 140_000, output_tokens: 0 },
  };
  let isFirst = true;
  const second = (): Step => {
    const step = isFirst ? beyond : { text: "Done." };
    isFirst = false;
    return step;
  };
  const first = { tools: [bash("echo kept > kept.txt")], usage: { input_tokens: 100_000 } };
  return { steps: [first, second] };
}

it("a run that crosses its line is stopped, uncharged; it and the next one go on when there is room", async () => {
  const costly = expensive();
  const cheap: Script = { steps: [{ text: "Cheap." }] };
  const script = ({ prompt }: { prompt: string }) => (prompt.includes("Spend") ? costly : cheap);
  const stack = await startStack({ script, repositories: [repo.path] });
  const people = await stack.administrator();
  const budget = { scope: { kind: "all" }, period: "day", timeZone: "Europe/Berlin" } as const;
  await people.mutation(api.budgets.set, { ...budget, limitUsd: 1 });

  const jobId = await stack.submit({ repository: repo.path, prompt: "Spend" });
  await stack.api.reached("beyond");
  const marker = `FONDATION_JOB=${jobId}:1`;
  expect(processesWith(marker)).not.toEqual([]);
  expect((await people.query(api.budgets.list, {}))[0]).toMatchObject({ reservedUsd: 1 });
  const answeredAt = performance.now();
  stack.api.release("beyond");
  await stack.job(jobId, ({ latest }) => latest?.stop === "budget");
  const toldMs = performance.now() - answeredAt;
  await waitFor("the run's processes to be gone", () => processesWith(marker).length === 0);
  const goneMs = performance.now() - answeredAt;

  const parked = await stack.job(jobId, ({ state }) => state.kind === "waiting");
  const [seen] = await people.query(api.budgets.list, {});
  expect(parked).toMatchObject({
    state: { kind: "waiting", reason: "budget", until: seen?.endsAt },
    charged: 0,
    interruptions: 0,
    latest: { end: { kind: "failed", reason: "budget", charged: false }, spend: { lineUsd: 1 } },
  });
  const { costUsd = 0, overshootUsd = 0 } = parked.latest?.spend ?? {};
  expect(costUsd).toBeGreaterThanOrEqual(1.2);
  expect(overshootUsd).toBeCloseTo(costUsd - 1, 6);
  expect(parked.spent?.tokens.input).toBeGreaterThanOrEqual(240_000);
  expect(seen).toMatchObject({ spentUsd: costUsd, reservedUsd: 0, overshootUsd, waiting: 1 });
  process.stdout.write(
    `a line of $1 crossed by one answer: cost $${costUsd.toFixed(4)}, overshoot $${overshootUsd.toFixed(4)}; ` +
      `told to stop after ${toldMs.toFixed(0)} ms, no process left after ${goneMs.toFixed(0)} ms\n`,
  );

  const next = await stack.submit({ repository: repo.path, prompt: "Little" });
  await stack.job(next, ({ state }) => state.kind === "waiting");
  expect(await people.query(api.jobs.waiting, { jobId: next })).toMatchObject({
    rule: "budget",
    until: seen?.endsAt,
    message: expect.stringContaining("has no room") as string,
  });
  await people.mutation(api.budgets.set, { ...budget, limitUsd: 20 });
  expect(await stack.ended(next)).toMatchObject({ state: { kind: "succeeded" }, attempt: 1 });
  const ended = await stack.ended(jobId);
  // It went on where it was: what the first attempt made is there without being made again.
  expect(ended).toMatchObject({ state: { kind: "succeeded" }, attempt: 2, charged: 1, resumed: 1 });
  expect(ended.latest?.report?.changes?.patch).toContain("kept.txt");
  await noneLeftWith(`FONDATION_JOB=${jobId}`);
});
