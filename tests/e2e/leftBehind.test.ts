/** What a run leaves behind reaches people whole and harmless: real backend, git and CLI. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Script } from "../../cli/demo/messagesScript.js";
import type { ArtifactView } from "../../convex/protocol/artifact.js";
import { api } from "../../convex/_generated/api.js";
import { LOG_ENTRY_CHARS_MAX } from "../../convex/protocol/limits.js";
import type { JobDetail } from "../../convex/protocol/view.js";
import { gitRepo } from "../support/gitRepo.js";
import { startStack, type Stack } from "../support/stack.js";
import { tempDir } from "../support/tempDir.js";

const KEY = "sk-known-to-the-run-0123456789";
const repo = gitRepo({ "README.md": "hello\n", ".gitignore": "dist/\n" });
const outside = tempDir("outside");
writeFileSync(path.join(outside, "private.txt"), "not yours\n");

const LEAVES = [
  "mkdir -p dist/deep .git/x",
  "printf '\\0\\1\\2' > dist/app.bin && printf 'deep\\n' > dist/deep/notes.txt && : > dist/empty",
  "printf '\\0\\377' > logo.png && echo changed > README.md",
  `ln -s ${outside}/private.txt dist/private.txt && ln -s ${outside} dist/folder && mkfifo dist/pipe`,
  `echo key=${KEY} > dist/leak.env && truncate -s 70M dist/huge`,
  "printf x > $'dist/new\\nline' && printf x > dist/back\\\\slash",
].join("; ");
/** A secret that lies across the place where a log entry is cut, and one in lines of base64. */
const TELLS = [
  `head -c ${String(LOG_ENTRY_CHARS_MAX - 45)} /dev/zero | tr '\\0' x && printf ${KEY}; seq 1 2000`,
  `printf 'key is ${KEY}' | base64 -w 20`,
];
const bash = (command: string) => ({ tools: [{ name: "Bash", input: { command } }] });
const script: Script = { steps: [...[LEAVES, ...TELLS].map(bash), { text: "Done." }] };

let stack: Stack;
let client: Awaited<ReturnType<Stack["administrator"]>>;
let job: JobDetail;
let artifacts: ArtifactView[];
beforeAll(async () => {
  const variables = { ANTHROPIC_API_KEY: KEY };
  stack = await startStack({ script, repositories: [repo.path], variables });
  client = await stack.administrator();
  const jobId = await stack.submit({
    repository: repo.path,
    prompt: "Build it",
    artifacts: ["dist/**", "nowhere/*"],
  });
  job = await stack.ended(jobId);
  artifacts = await client.query(api.artifacts.list, { jobId });
});

async function contentOf(name: string): Promise<Buffer> {
  const found = artifacts.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no artifact ${name}`);
  const url = await client.query(api.artifacts.url, { artifactId: found.artifactId });
  const bytes = Buffer.from(await (await fetch(url)).arrayBuffer());
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(found.sha256);
  expect(bytes.length).toBe(found.bytes);
  return bytes;
}

describe("files that match the job's patterns", () => {
  it("are listed and can be fetched as they were, the empty one too", async () => {
    expect(job.state.kind).toBe("succeeded");
    expect(artifacts.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "patch changes.patch",
      "file dist/app.bin",
      "file dist/deep/notes.txt",
      "file dist/empty",
    ]);
    expect(await contentOf("dist/app.bin")).toEqual(Buffer.from([0, 1, 2]));
    expect((await contentOf("dist/deep/notes.txt")).toString()).toBe("deep\n");
    expect((await contentOf("dist/empty")).length).toBe(0);
  });

  it("41: links, pipes, odd names, too large ones and secrets are left out, and the job says so", async () => {
    const { kept, leftOut, why } = job.latest?.report?.artifacts ?? {};
    expect({ kept, leftOut }).toEqual({ kept: 4, leftOut: 7 });
    const notes = (why ?? "").split("; ").sort();
    expect(notes).toEqual([
      expect.stringMatching(/^"dist\/back.*: its name is no text$/) as string,
      '"dist/folder": it is no regular file',
      '"dist/huge": it has more than 67108864 bytes',
      '"dist/leak.env": it holds a secret of this run',
      '"dist/new\\nline": its name is no text',
      '"dist/pipe": it is no regular file',
      '"dist/private.txt": it is no regular file',
    ]);
    const { tail } = await stack.people.getLogTail(job.jobId, 1);
    const marks = tail.filter((entry) => entry.kind === "marker").map((entry) => entry.text);
    expect(marks).toContain('no file matches "nowhere/*"');
    expect(marks.filter((text) => text.startsWith("artifact left out: "))).toHaveLength(7);
  });
});

describe("the log of a run", () => {
  it("32: holds no part of a secret, cut in two or written in lines of base64", async () => {
    const log = JSON.stringify(await stack.people.getLogTail(job.jobId, 1));
    const chunks = await client.query(api.logs.chunks, { jobId: job.jobId, attempt: 1, from: 0 });
    const all = JSON.stringify(chunks) + log;
    expect(all).toContain("[cut: ");
    expect(all).toContain("[redacted]");
    expect(all).not.toContain(KEY.slice(0, 10));
    const coded = Buffer.from(`key is ${KEY}`).toString("base64");
    expect(all).not.toContain(coded.slice(20, 40));
  });
});

describe("the patch of a run", () => {
  it("makes the same tree of the commit, files that are no text included", async () => {
    const patch = await contentOf("changes.patch");
    const file = path.join(tempDir("patch"), "changes.patch");
    writeFileSync(file, patch);
    const other = gitRepo({ "README.md": "hello\n", ".gitignore": "dist/\n" });
    other.git("apply", "--index", file);
    expect(other.git("diff", "--cached", "--name-status")).toBe("M\tREADME.md\nA\tlogo.png");
    expect(other.git("hash-object", "logo.png")).toBe(
      createHash("sha1").update("blob 2\0\0\u00ff", "latin1").digest("hex"),
    );
    expect(job.latest?.report?.changes).toMatchObject({
      files: 2,
      byFile: [
        { path: "README.md", status: "changed", insertions: 1, deletions: 1 },
        { path: "logo.png", status: "added", insertions: 0, deletions: 0, binary: true },
      ],
    });
  });
});
