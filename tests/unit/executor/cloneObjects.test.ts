import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { collectChanges, takeBaseline } from "../../../executor/changes.js";
import { packTree, prepareTree } from "../../../executor/checkpointTree.js";
import { systemClock } from "../../../executor/clock.js";
import { gitRepo } from "../../support/gitRepo.js";
import { tempDir } from "../../support/tempDir.js";

const tools = {
  searchPath: "/usr/bin:/bin",
  home: tempDir("home"),
  marker: {},
  clock: systemClock,
  signal: new AbortController().signal,
};

/** A run's clone, and a repository that is none of its business, one of whose commits it knows. */
async function aRun() {
  const clone = gitRepo({ "a.txt": "a\n" });
  const other = gitRepo({ "secret.txt": "of somebody else\n" });
  const baseline = {
    gitFolder: path.join(tempDir("baseline"), "git"),
    repo: clone.path,
    commit: clone.commit,
  };
  await takeBaseline(baseline, tools);
  await prepareTree(baseline);
  const objects = path.join(clone.path, ".git", "objects");
  const foreign = path.join(other.path, ".git", "objects");
  const ask = (): void => {
    writeFileSync(path.join(clone.path, ".git", "refs", "heads", "theirs"), `${other.commit}\n`);
  };
  const told = async (): Promise<void> => {
    await collectChanges(baseline, tools);
    await packTree(baseline, tools, undefined);
  };
  return { objects, foreign, ask, told };
}

describe("objects of a clone that lie elsewhere", () => {
  it("are none in a clone as it was made", async () => {
    const { told } = await aRun();
    await expect(told()).resolves.toBeUndefined();
  });

  it("keep a run's changes and checkpoint from being made: alternates", async () => {
    for (const name of ["alternates", "http-alternates"]) {
      const { objects, foreign, ask, told } = await aRun();
      mkdirSync(path.join(objects, "info"), { recursive: true });
      writeFileSync(path.join(objects, "info", name), `${foreign}\n`);
      ask();
      await expect(told()).rejects.toThrow(`from elsewhere, by its .git/objects/info/${name}`);
    }
  });

  it("keep a run's changes and checkpoint from being made: links", async () => {
    const all = await aRun();
    renameSync(all.objects, `${all.objects}.away`);
    symlinkSync(all.foreign, all.objects);
    await expect(all.told()).rejects.toThrow(".git/objects is no folder");

    const folder = await aRun();
    renameSync(path.join(folder.objects, "pack"), path.join(folder.objects, "away"));
    symlinkSync(path.join(folder.foreign, "pack"), path.join(folder.objects, "pack"));
    folder.ask();
    await expect(folder.told()).rejects.toThrow(".git/objects/pack is no regular file");

    const file = await aRun();
    mkdirSync(path.join(file.objects, "00"), { recursive: true });
    symlinkSync(file.foreign, path.join(file.objects, "00", "0".repeat(38)));
    await expect(file.told()).rejects.toThrow("is no regular file");
  });
});
