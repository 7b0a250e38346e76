import { describe, expect, it } from "vitest";
import { classifyGitFailure, gitEnvironment } from "../../../executor/git.js";
import type { CommandResult } from "../../../executor/runCommand.js";

const aResult = (more: Partial<CommandResult>): CommandResult => ({
  ending: "exited",
  code: 128,
  stdout: "",
  stderr: "",
  isOutputCut: false,
  ...more,
});

describe("a failed git call → reason", () => {
  it.each([
    [
      "remote: Repository not found.\nfatal: repository 'https://github.com/a/b.git/' not found",
      "repositoryNotFound",
    ],
    ["fatal: '/srv/x' does not appear to be a git repository", "repositoryNotFound"],
    ["fatal: couldn't find remote ref nope", "refNotFound"],
    ["fatal: remote error: upload-pack: not our ref 1234", "refNotFound"],
    ["error: Server does not allow request for unadvertised object 12", "refNotFound"],
    [
      "fatal: could not read Username for 'https://github.com': terminal prompts disabled",
      "cloneDenied",
    ],
    ["fatal: Authentication failed for 'https://github.com/a/b.git/'", "cloneDenied"],
    ["fatal: detected dubious ownership in repository at '/srv/x'", "cloneDenied"],
    ["fatal: The requested URL returned error: 403", "cloneDenied"],
    ["fatal: write error: No space left on device", "diskFull"],
    ["fatal: unable to access 'https://x/': Could not resolve host: x", "cloneFailed"],
    ["", "cloneFailed"],
  ])("%j → %s", (stderr, reason) => {
    expect(classifyGitFailure(aResult({ stderr }), "main").reason).toBe(reason);
  });

  it.each(["missing", "timedOut", "aborted", "killed"] as const)("%s → cloneFailed", (ending) => {
    expect(classifyGitFailure(aResult({ ending, code: undefined }), "main").reason).toBe(
      "cloneFailed",
    );
  });

  it("names the ref and what git said", () => {
    const stderr = "fatal: couldn't find remote ref nope\n";
    expect(classifyGitFailure(aResult({ stderr }), "nope").message).toBe(
      `The repository has no branch, tag or commit "nope". git says: fatal: couldn't find remote ref nope`,
    );
  });
});

describe("git's environment", () => {
  it("holds no variable of the executor's own and as many settings as it counts", () => {
    const env = gitEnvironment({ searchPath: "/bin", home: "/h", protocols: "https" });
    const keys = Object.keys(env).filter((name) => name.startsWith("GIT_CONFIG_KEY_"));
    expect(env["GIT_CONFIG_COUNT"]).toBe(String(keys.length));
    expect(env).toMatchObject({ PATH: "/bin", HOME: "/h", GIT_ALLOW_PROTOCOL: "https", LANG: "C" });
  });
});
