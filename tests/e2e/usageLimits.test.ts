/** Usage limits over the real CLI: what the API's headers say becomes when a job runs, and with what. */
import { describe, expect, it } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { faults, type Fault, type Script } from "../../cli/demo/messagesScript.js";
import { gitRepo } from "../support/gitRepo.js";
import { say } from "../support/scripts.js";
import { startStack } from "../support/stack.js";

const repo = gitRepo();
const repositories = [repo.path];
const TOKEN_A = "sk-ant-oat01-aaaaaaaaaaaaaaaa";
const TOKEN_B = "sk-ant-oat01-bbbbbbbbbbbbbbbb";
/** Of an executor that asks the deployment for its login. */
const BARE = { ANTHROPIC_API_KEY: "" };

/** As the API refuses an account whose window is used up, in whole seconds. */
function usedUp(resetsAtS: number): Fault {
  return {
    kind: "http",
    status: 429,
    type: "rate_limit_error",
    message: "This request would exceed your account's rate limit. Please try again later.",
    headers: {
      "anthropic-ratelimit-unified-status": "rejected",
      "anthropic-ratelimit-unified-reset": String(resetsAtS),
      "anthropic-ratelimit-unified-representative-claim": "five_hour",
      "anthropic-ratelimit-unified-5h-status": "rejected",
      "anthropic-ratelimit-unified-5h-reset": String(resetsAtS),
    },
  };
}
const always = (fault: Fault): Script => ({
  steps: [{ faults: [{ ...fault, times: 1_000 }], text: "never" }],
});
const tokenOf = (headers: { authorization?: string | undefined }) =>
  headers.authorization?.replace("Bearer ", "");

describe("the account of an executor's own login is used up", () => {
  it("the job waits uncharged until the reset second, is woken then, and succeeds", async () => {
    // Far enough that the first attempt ends before it on a slow machine.
    const resetsAtS = Math.ceil(Date.now() / 1_000) + 20;
    const script: Script = { steps: [{ faults: [usedUp(resetsAtS)], text: "After the reset." }] };
    const stack = await startStack({
      script,
      repositories,
      variables: { ...BARE, CLAUDE_CODE_OAUTH_TOKEN: TOKEN_A },
    });
    const jobId = await stack.submit({ repository: repo.path, prompt: "Try" });
    const parked = await stack.job(jobId, ({ state }) => state.kind === "waiting");
    expect(parked).toMatchObject({
      state: { reason: "credential", until: resetsAtS * 1_000 },
      attempt: 1,
      charged: 0,
      interruptions: 0,
    });
    const people = await stack.administrator();
    expect(await people.query(api.jobs.waiting, { jobId })).toMatchObject({
      rule: "credential",
      until: resetsAtS * 1_000,
    });
    expect(await people.query(api.credentials.list, {})).toMatchObject([
      { kind: "subscription", label: "executor-1", status: "limited" },
    ]);
    // One request: neither the CLI nor the queue asks again before the reset.
    expect(stack.api.requests.filter(({ kind }) => kind === "main")).toHaveLength(1);
    const job = await stack.ended(jobId);
    expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 2, charged: 1 });
    expect(job.latest?.assignedAt).toBeGreaterThanOrEqual(resetsAtS * 1_000);
  });
});

describe("executors without a login", () => {
  it("a used up credential of the deployment → the job goes on with another at once", async () => {
    const resetsAtS = Math.ceil(Date.now() / 1_000) + 3_600;
    const limited = always(usedUp(resetsAtS));
    const answered = say("With the other account.");
    const stack = await startStack({
      script: ({ headers }) => (tokenOf(headers) === TOKEN_A ? limited : answered),
      repositories,
      variables: BARE,
    });
    const people = await stack.administrator();
    const keep = (label: string, value: string) =>
      people.action(api.credentials.create, { kind: "subscription", label, value });
    const { credentialId: a } = await keep("a", TOKEN_A);
    const { credentialId: b } = await keep("b", TOKEN_B);
    await people.mutation(api.credentials.disable, { credentialId: b });
    const jobId = await stack.submit({ repository: repo.path, prompt: "Try" });
    await stack.job(jobId, ({ state }) => state.kind === "waiting");
    await people.mutation(api.credentials.enable, { credentialId: b });
    const job = await stack.ended(jobId);
    expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 2, charged: 1 });
    const attempts = await stack.people.listAttempts(jobId);
    expect(attempts.map((attempt) => attempt.credentialId)).toEqual([b, a]);
    expect(JSON.stringify(attempts)).not.toContain("sk-ant-oat01");
  });

  it("a key that the API refuses is failing; its executor is not; with a good key the job goes on", async () => {
    const refused = always(faults.unauthorized());
    const answered = say("With the good key.");
    const stack = await startStack({
      script: ({ headers }) =>
        headers["x-api-key"] === "sk-ant-good-0123456789" ? answered : refused,
      repositories,
      variables: BARE,
    });
    const people = await stack.administrator();
    const keep = (value: string) =>
      people.action(api.credentials.create, { kind: "apiKey", label: "key", value });
    await keep("sk-ant-bad-0123456789");
    const jobId = await stack.submit({ repository: repo.path, prompt: "Try" });
    await stack.job(jobId, ({ state }) => state.kind === "waiting");
    expect(await people.query(api.credentials.list, {})).toMatchObject([{ status: "failing" }]);
    const [executor] = await stack.executorViews();
    expect(executor).toMatchObject({ unhealthy: null, freeSlots: 1 });
    await keep("sk-ant-good-0123456789");
    const job = await stack.ended(jobId);
    expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 2, charged: 1 });
  });
});
