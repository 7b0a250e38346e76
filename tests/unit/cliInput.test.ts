import { writeFileSync } from "node:fs";
import path from "node:path";
import { Readable } from "node:stream";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  readDataFolder,
  readPort,
  readPrompt,
  readRef,
  readRepository,
} from "../../cli/demo/input.js";
import { CommandError } from "../../cli/errors.js";
import { PROMPT_CHARS_MAX } from "../../convex/protocol/limits.js";
import { gitRepo } from "../support/gitRepo.js";
import { tempDir } from "../support/tempDir.js";

/** The exit code and the sentence with which an input is refused. */
function refusal(read: () => unknown): { exitCode: number; message: string } {
  try {
    read();
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error("it was taken");
}

describe("--repo", () => {
  test("owner/repo → GitHub", () => {
    expect(readRepository("octo/hello-world", "/")).toEqual({
      kind: "remote",
      text: "octo/hello-world",
      host: "github.com",
    });
  });

  test("an https URL → its host", () => {
    expect(readRepository("https://git.example.org/a/b.git", "/")).toMatchObject({
      kind: "remote",
      host: "git.example.org",
    });
  });

  test("a relative path → the repository's absolute path", () => {
    const repo = gitRepo();
    const [cwd, name] = [path.dirname(repo.path), path.basename(repo.path)];
    expect(readRepository(`./${name}`, cwd)).toEqual({ kind: "local", text: repo.path });
  });

  test.each([
    "",
    " ",
    "a b",
    "owner",
    "a/b/c",
    "-x/y",
    "git@github.com:a/b",
    "http://github.com/a/b",
    "https://user:secret@github.com/a/b",
    "https://github.com/a",
    "https://github.com/a/b?x=1",
    "file:///etc",
    "/does/not/exist",
    "x".repeat(1_000_000),
  ])("%j → a usage error of one sentence", (typed) => {
    const { exitCode, message } = refusal(() => readRepository(typed, "/"));
    expect(exitCode).toBe(64);
    expect(message).toMatch(/^--repo [^\n]+\.?$/);
    expect(message.length).toBeLessThan(300);
  });

  test("a folder without a commit → refused", () => {
    expect(refusal(() => readRepository(tempDir(), "/")).message).toContain("no git repository");
  });

  test("a login in a URL → refused without repeating a value longer than a line", () => {
    fc.assert(
      fc.property(fc.string(), (typed) => {
        try {
          readRepository(`https://${typed}`, "/");
        } catch (error) {
          expect(error).toBeInstanceOf(CommandError);
        }
      }),
    );
  });
});

describe("--prompt", () => {
  const nothing = Readable.from([]);
  test("text → itself", async () => {
    expect(await readPrompt("Do it.", nothing)).toBe("Do it.");
  });
  test("- → what stdin holds, characters cut between chunks included", async () => {
    const bytes = Buffer.from("Grüße\n");
    const stdin = Readable.from([bytes.subarray(0, 3), bytes.subarray(3)]);
    expect(await readPrompt("-", stdin)).toBe("Grüße\n");
  });
  const tooLong = ["x".repeat(PROMPT_CHARS_MAX + 1), "x".repeat(1024 * 1024)];
  test.each(["", " \n\t", ...tooLong])("empty or too long → refused", async (typed) => {
    await expect(readPrompt(typed, nothing)).rejects.toMatchObject({ exitCode: 64 });
    await expect(readPrompt("-", Readable.from([typed]))).rejects.toMatchObject({ exitCode: 64 });
  });
});

describe("--ref", () => {
  test.each(["main", "feature/x", "v1.2.3", "0a1b2c3"])("%s → itself", (ref) => {
    expect(readRef(ref)).toBe(ref);
  });
  test.each(["", "-x", "--upload-pack=x", "a..b", "a b", "a\nb", "a~1", "x.lock", "a@{1}", "/a"])(
    "%j → refused",
    (ref) => {
      expect(refusal(() => readRef(ref)).exitCode).toBe(64);
    },
  );
});

describe("--data and --port", () => {
  test("a folder that does not exist yet → its absolute path", () => {
    expect(readDataFolder("some/where", "/base")).toBe("/base/some/where");
  });
  test("a file → refused", () => {
    const file = path.join(tempDir(), "file");
    writeFileSync(file, "");
    expect(refusal(() => readDataFolder(file, "/")).message).toContain("is not a folder");
  });
  test.each(["-1", "65536", "http", "", "1.5"])("port %j → refused", (typed) => {
    expect(refusal(() => readPort(typed)).exitCode).toBe(64);
  });
  test("port 0 and 65535 → taken", () => {
    expect([readPort("0"), readPort("65535")]).toEqual([0, 65_535]);
  });
});
