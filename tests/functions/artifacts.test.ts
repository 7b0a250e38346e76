import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Artifact } from "../../convex/protocol/artifact.js";
import { ARTIFACTS_MAX, UNATTACHED_FILE_MS } from "../../convex/protocol/limits.js";
import { codeOf, type Executor, finish, started, World } from "./world.js";

let world: World;
let box: Executor;
beforeEach(async () => {
  world = await World.make();
  box = await world.executor("box");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const named = async (name: string, text = name): Promise<Artifact> => ({
  name,
  kind: "file",
  ...(await world.part(text)),
});

describe("an artifact", () => {
  test("is listed with its digest, and has an address for people", async () => {
    await world.submit();
    const claim = await started(box);
    const artifact = await named("out/report.txt");
    await box.mutation(api.artifacts.attach, { ...claim, artifact });
    await box.mutation(api.artifacts.attach, { ...claim, artifact });
    const viewer = await world.user("viewer");
    const [only, ...more] = await viewer.query(api.artifacts.list, { jobId: claim.jobId });
    expect(more).toEqual([]);
    expect(only).toMatchObject({ name: "out/report.txt", sha256: artifact.sha256, attempt: 1 });
    if (only === undefined) throw new Error("none");
    const { artifactId } = only;
    expect(await viewer.query(api.artifacts.url, { artifactId })).toContain("http");
  });

  test.each(["", "/etc/passwd", "../up", "a//b", ".git/config", "a/.GIT/x", "back\\slash", "a\nb"])(
    "41: named %j → INVALID_ARGUMENT",
    async (name) => {
      await world.submit();
      const claim = await started(box);
      const artifact = await named(name, "text");
      const refused = box.mutation(api.artifacts.attach, { ...claim, artifact });
      expect(await codeOf(refused)).toBe("INVALID_ARGUMENT");
    },
  );

  test("of a name that is taken by another content → INVALID_ARGUMENT", async () => {
    await world.submit();
    const claim = await started(box);
    await box.mutation(api.artifacts.attach, { ...claim, artifact: await named("a", "1") });
    const second = { ...claim, artifact: await named("a", "2") };
    expect(await codeOf(box.mutation(api.artifacts.attach, second))).toBe("INVALID_ARGUMENT");
  });

  test("41: beyond the most of an attempt → INVALID_ARGUMENT", async () => {
    await world.submit();
    const claim = await started(box);
    for (let i = 0; i < ARTIFACTS_MAX; i += 1) {
      await box.mutation(api.artifacts.attach, { ...claim, artifact: await named(`a${i}`) });
    }
    const one = { ...claim, artifact: await named("more") };
    expect(await codeOf(box.mutation(api.artifacts.attach, one))).toBe("INVALID_ARGUMENT");
  });

  test("with a stale token → STALE_LEASE", async () => {
    await world.submit();
    const claim = await started(box);
    await finish(box, claim, { kind: "succeeded" });
    const late = { ...claim, artifact: await named("late") };
    expect(await codeOf(box.mutation(api.artifacts.attach, late))).toBe("STALE_LEASE");
  });

  test("goes with its job, and its file with it", async () => {
    await world.submit();
    const claim = await started(box);
    await box.mutation(api.artifacts.attach, { ...claim, artifact: await named("a") });
    await finish(box, claim, { kind: "succeeded" });
    await world.advance(91 * 86_400_000);
    const kinds = ["logs" as const, "jobs" as const];
    const dry = await world.t.action(internal.retention.prune, { kinds, dryRun: true });
    expect(dry.rows).toMatchObject({ jobs: 1, artifacts: 1 });
    const { rows } = await world.t.action(internal.retention.prune, { kinds });
    expect(rows).toMatchObject({ jobs: 1, artifacts: 1 });
    expect(await world.files()).toBe(0);
  });
});

test("patterns that are no paths in the tree are refused at submission; good ones reach the executor", async () => {
  const operator = await world.user("operator");
  const submit = async (artifacts: string[]) =>
    operator.mutation(api.jobs.submit, { repository: "octo/hello", prompt: "x", artifacts });
  for (const bad of ["/abs", "../up", ".git/config", "a\\b", ""]) {
    expect(await codeOf(submit([bad]))).toBe("INVALID_ARGUMENT");
  }
  await submit(["dist/**", "report-?.txt"]);
  await world.settle();
  const work = await box.mutation(api.executors.start, await started(box));
  expect(work.artifacts).toEqual(["dist/**", "report-?.txt"]);
});

test("a file that was uploaded and never attached is deleted; one that was is not", async () => {
  await world.submit();
  const claim = await started(box);
  await box.mutation(api.artifacts.attach, { ...claim, artifact: await named("kept") });
  await named("left behind");
  await world.t.mutation(internal.files.sweep, {});
  expect(await world.files()).toBe(2);
  vi.setSystemTime(Date.now() + UNATTACHED_FILE_MS + 1);
  await world.t.mutation(internal.files.sweep, {});
  expect(await world.files()).toBe(1);
});
