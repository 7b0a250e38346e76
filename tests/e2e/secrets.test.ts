/** A private repository on a host of our own, cloned with a token that the deployment keeps. */
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Script } from "../../cli/demo/messagesScript.js";
import { api } from "../../convex/_generated/api.js";
import { gitRepo } from "../support/gitRepo.js";
import { startGitServer } from "../support/gitServer.js";
import { say } from "../support/scripts.js";
import { startStack } from "../support/stack.js";
import { tempDir } from "../support/tempDir.js";
import { git } from "./executorParts/fixtures.js";

const TOKEN = "github_pat_11AAAAAAA0aBcDeFgHiJkL";
const WRONG = "github_pat_22BBBBBBB0wRoNgWrOnGwRo";
/** The tool prints its environment, which holds the credential. */
const showsEnvironment: Script = {
  steps: [
    { tools: [{ name: "Bash", input: { command: "env", description: "Show" } }] },
    { text: "Shown." },
  ],
};
const repo = gitRepo();
const folder = tempDir("served");
git(folder, "clone", "--quiet", "--bare", repo.path, path.join(folder, "octo", "hello.git"));
const server = await startGitServer({
  folder,
  grants: { [TOKEN]: { repository: "octo/hello.git" } },
});
afterAll(() => server.close());

it("the token is issued, clones, and shows nowhere; a wrong one is cloneDenied", async () => {
  const stack = await startStack({
    script: say("Done."),
    repositories: [repo.path],
    variables: { GIT_HOSTS: server.host, GIT_LOOPBACK_HTTP: "1" },
    deployment: { REPOSITORY_HOSTS: server.host },
  });
  const administrator = await stack.administrator();
  const keep = (value: string) =>
    administrator.action(api.secrets.set, { kind: "repositoryToken", name: "octo/hello", value });
  const shown = async (jobId: Awaited<ReturnType<typeof stack.submit>>) =>
    JSON.stringify([
      await stack.people.getJob(jobId),
      await stack.people.listEvents(jobId),
      await stack.people.getLogTail(jobId, 1),
      await administrator.query(api.secrets.list, {}),
    ]);

  await keep(TOKEN);
  const good = await stack.submit({ repository: "octo/hello", prompt: "Answer" });
  expect((await stack.ended(good)).state.kind).toBe("succeeded");
  expect(server.requests.some(({ authorization }) => authorization !== undefined)).toBe(true);
  expect(await shown(good)).not.toContain(TOKEN);

  await keep(WRONG);
  const bad = await stack.submit({ repository: "octo/hello", prompt: "Answer" });
  const job = await stack.ended(bad);
  expect(job.state).toMatchObject({ kind: "failed", reason: "cloneDenied" });
  expect(await shown(bad)).not.toContain(WRONG);
});

describe("a machine without a login of its own", () => {
  it.each([
    ["apiKey", "x-api-key", "sk-ant-api03-0aBcDeFgHiJkLmNoP", ""],
    ["oauthToken", "authorization", "sk-ant-oat01-0aBcDeFgHiJkLmNoP", "Bearer "],
  ] as const)(
    "%s: the deployment's Claude credential is issued to the run, audited, and shows nowhere",
    async (...[form, header, value, prefix]) => {
      const stack = await startStack({
        script: showsEnvironment,
        repositories: [repo.path],
        variables: { ANTHROPIC_API_KEY: "" },
      });
      const administrator = await stack.administrator();
      await administrator.action(api.secrets.set, { kind: "claude", name: "team", form, value });
      const jobId = await stack.submit({ repository: repo.path, prompt: "Show it" });
      expect((await stack.ended(jobId)).state.kind).toBe("succeeded");
      const shown = stack.api.requests
        .filter(({ kind }) => kind === "main")
        .map(({ conversation }) => conversation.headers[header]);
      expect(new Set(shown)).toEqual(new Set([`${prefix}${value}`]));
      const paginationOpts = { numItems: 50, cursor: null };
      const audit = await administrator.query(api.audit.list, { paginationOpts });
      expect(audit.page).toContainEqual(
        expect.objectContaining({
          ...{ action: "secret.issued", actor: "executor:executor-1", target: "claude:team" },
          detail: `claude job ${jobId} token 1`,
        }),
      );
      const told = JSON.stringify([
        audit,
        await stack.people.getJob(jobId),
        await stack.people.listEvents(jobId),
        await stack.people.getLogTail(jobId, 1),
        await administrator.query(api.secrets.list, {}),
      ]);
      expect(told).toContain("FONDATION_JOB=");
      expect(told).not.toContain(value);
    },
  );
});
