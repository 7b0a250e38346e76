/** A private repository on a host of our own, cloned with a token that the deployment keeps. */
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { gitRepo } from "../support/gitRepo.js";
import { startGitServer } from "../support/gitServer.js";
import { say } from "../support/scripts.js";
import { startStack } from "../support/stack.js";
import { tempDir } from "../support/tempDir.js";
import { git } from "./executorParts/fixtures.js";

const TOKEN = "github_pat_11AAAAAAA0aBcDeFgHiJkL";
const WRONG = "github_pat_22BBBBBBB0wRoNgWrOnGwRo";
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
