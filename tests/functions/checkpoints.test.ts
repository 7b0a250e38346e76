import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import type { Checkpoint } from "../../convex/protocol/checkpoint.js";
import type { FailureReason } from "../../convex/protocol/job.js";
import {
  CHECKPOINT_BYTES_PER_ATTEMPT_MAX,
  CHECKPOINT_OFFERS_MAX,
  CHECKPOINT_TRANSCRIPT_PARTS_MAX,
  SESSION_KEPT_MS,
} from "../../convex/protocol/limits.js";
import { codeOf, type Executor, failed, finish, started, World } from "./world.js";

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

type Claim = { jobId: Id<"jobs">; token: number };
const COMMIT = "0123456789".repeat(4);
const SESSION = "11111111-2222-4333-8444-555555555555";

/** A checkpoint with a part of transcript and a tree, unless told. */
async function make(seq: number, more: Partial<Checkpoint> = {}): Promise<Checkpoint> {
  const transcript = more.transcript ?? {
    mode: seq === 1 ? ("replace" as const) : ("append" as const),
    parts: [await world.part(`transcript ${seq}`)],
  };
  return {
    ...{ seq, sessionId: SESSION, cwd: "/job/repo", commit: COMMIT, turns: seq, ms: 10 },
    ...{ transcript, tree: more.tree === null ? null : [await world.part(`tree ${seq}`)] },
    ...more,
  };
}

async function attach(claim: Claim, checkpoint: Checkpoint, by = box): Promise<string> {
  return codeOf(by.mutation(api.checkpoints.attach, { ...claim, checkpoint }));
}

const viewed = async (jobId: string) =>
  (await world.user("viewer")).query(api.checkpoints.get, { jobId });

/** Ends the attempt with a failure and starts the next one, whatever the backoff. */
async function failAndRestart(claim: Claim, reason: FailureReason) {
  await finish(box, claim, failed(reason));
  const operator = await world.user("operator", `operator-${Math.random()}`);
  const { state } = await world.job(claim.jobId);
  if (state.kind === "backoff") await operator.mutation(api.jobs.requeue, { jobId: claim.jobId });
  await world.settle();
  const next = await started(box);
  return { next, work: await box.mutation(api.executors.start, next) };
}

describe("a checkpoint", () => {
  test("is kept with its files, and the tree of the one before is deleted with its file", async () => {
    await world.submit();
    const claim = await started(box);
    expect(await attach(claim, await make(1))).toBe("accepted");
    expect(await attach(claim, await make(2))).toBe("accepted");
    expect(await world.files()).toBe(3);
    expect(await viewed(claim.jobId)).toMatchObject({ attempt: 1, seq: 2, turns: 2, bytes: 30 });
  });

  test("told again changes nothing, also after a later one", async () => {
    await world.submit();
    const claim = await started(box);
    const first = await make(1);
    await attach(claim, first);
    expect(await attach(claim, first)).toBe("accepted");
    await attach(claim, await make(2, { tree: null }));
    const before = await world.everything();
    expect(await attach(claim, first)).toBe("accepted");
    expect(await world.everything()).toEqual(before);
  });

  test("whose tree is that of the one before leaves it", async () => {
    await world.submit();
    const claim = await started(box);
    await attach(claim, await make(1));
    await attach(claim, await make(2, { tree: null }));
    expect(await world.files()).toBe(3);
  });

  test("that replaces the transcript deletes what was kept of it", async () => {
    await world.submit();
    const claim = await started(box);
    await attach(claim, await make(1));
    await attach(claim, await make(2, { tree: null }));
    const parts = [await world.part("all of it")];
    await attach(claim, await make(3, { tree: null, transcript: { mode: "replace", parts } }));
    expect(await world.files()).toBe(2);
  });

  test("with a stale token → STALE_LEASE, and nothing changed", async () => {
    await world.submit();
    const claim = await started(box);
    const checkpoint = await make(1);
    await finish(box, claim, failed("leaseExpired"));
    await world.settle();
    const before = await world.everything();
    expect(await attach(claim, checkpoint)).toBe("STALE_LEASE");
    expect(await world.everything()).toEqual(before);
  });

  test.each<[string, (good: Checkpoint) => Promise<Checkpoint> | Checkpoint]>([
    [
      "another digest than was stored",
      (good) => withPart(good, (part) => ({ ...part, sha256: "0".repeat(64) })),
    ],
    ["another size than was stored", (good) => withPart(good, (part) => ({ ...part, bytes: 1 }))],
    [
      "the same file twice",
      (good) => ({ ...good, tree: [...good.transcript.parts, ...good.transcript.parts] }),
    ],
    ["no tree at first", (good) => ({ ...good, tree: null })],
    ["a commit that is none", (good) => ({ ...good, commit: "main" })],
    ["a relative folder", (good) => ({ ...good, cwd: "job" })],
    [
      "too many parts",
      async (good) => {
        const parts: Checkpoint["transcript"]["parts"] = [];
        for (let i = 0; i <= CHECKPOINT_TRANSCRIPT_PARTS_MAX; i += 1) {
          parts.push(await world.part(`part ${i}`));
        }
        return { ...good, transcript: { mode: "replace", parts } };
      },
    ],
  ])("with %s → INVALID_ARGUMENT, and nothing kept", async (_, spoil) => {
    await world.submit();
    const claim = await started(box);
    expect(await attach(claim, await spoil(await make(1)))).toBe("INVALID_ARGUMENT");
    expect(await viewed(claim.jobId)).toBeNull();
  });

  test("with a file of another job → INVALID_ARGUMENT: nobody's file is read or deleted by its id", async () => {
    await world.submit();
    const claim = await started(box);
    const first = await make(1);
    await attach(claim, first);
    const other = await world.executor("other");
    await world.submit();
    const tree = first.tree ?? [];
    expect(await attach(await started(other), await make(1, { tree }), other)).toBe(
      "INVALID_ARGUMENT",
    );
  });

  test("past the byte budget of its attempt → INVALID_ARGUMENT; the next attempt has its own", async () => {
    await world.submit();
    const claim = await started(box);
    await attach(claim, await make(1));
    await world.t.run(async (ctx) => {
      const row = await ctx.db.query("checkpoints").first();
      if (row === null) throw new Error("no checkpoint");
      await ctx.db.patch("checkpoints", row._id, {
        uploadedBytes: CHECKPOINT_BYTES_PER_ATTEMPT_MAX,
      });
    });
    expect(await attach(claim, await make(2))).toBe("INVALID_ARGUMENT");
    const { next } = await failAndRestart(claim, "leaseExpired");
    expect(await attach(next, await make(1))).toBe("accepted");
  });

  test("stays for a follow-up when the job ends, and goes with all its files some days later", async () => {
    await world.submit();
    const claim = await started(box);
    await attach(claim, await make(1));
    await attach(claim, await make(2));
    await finish(box, claim, { kind: "succeeded" });
    await world.advance(SESSION_KEPT_MS - 1);
    expect(await viewed(claim.jobId)).not.toBeNull();
    await world.advance(1);
    await world.settle();
    expect(await viewed(claim.jobId)).toBeNull();
    expect(await world.files()).toBe(0);
  });

  test("goes when the job is retried: another go begins at the beginning", async () => {
    await world.submit({ attemptsMax: 1 });
    const claim = await started(box);
    await attach(claim, await make(1));
    await finish(box, claim, failed("maxTurns"));
    const operator = await world.user("operator");
    await operator.mutation(api.jobs.retry, { jobId: claim.jobId });
    await world.settle();
    expect(await world.files()).toBe(0);
    const work = await box.mutation(api.executors.start, await started(box));
    expect(work.resume).toBeUndefined();
  });
});

async function withPart(
  good: Checkpoint,
  change: (part: Checkpoint["transcript"]["parts"][number]) => object,
): Promise<Checkpoint> {
  const [part] = good.transcript.parts;
  if (part === undefined) throw new Error("no part");
  const parts = [{ ...part, ...change(part) }];
  return Promise.resolve({ ...good, transcript: { ...good.transcript, parts } });
}

describe("the next attempt", () => {
  test("is offered the checkpoint and the commit; asked again, the same", async () => {
    await world.submit();
    const claim = await started(box);
    await box.mutation(api.executors.phase, { ...claim, phase: "running", commit: COMMIT });
    await attach(claim, await make(1));
    const { next, work } = await failAndRestart(claim, "leaseExpired");
    expect(work).toMatchObject({
      commit: COMMIT,
      resume: { attempt: 1, seq: 1, turns: 1, sessionId: SESSION, cwd: "/job/repo" },
    });
    expect(work.resume?.transcript).toHaveLength(1);
    expect(work.resume?.tree).toHaveLength(1);
    expect(await box.mutation(api.executors.start, next)).toEqual(work);
  });

  test.each<[FailureReason, boolean]>([
    ["leaseExpired", true],
    ["apiError", true],
    ["cliKilled", true],
    ["stalled", true],
    ["cliError", false],
    ["internal", false],
  ])("after %s → goes on from the checkpoint: %s", async (reason, isOffered) => {
    await world.submit();
    const claim = await started(box);
    await attach(claim, await make(1));
    const { work } = await failAndRestart(claim, reason);
    expect(work.resume !== undefined).toBe(isOffered);
  });

  test("starts over when several went on from the same place in vain", async () => {
    await world.submit({ attemptsMax: 9 });
    let claim = await started(box);
    await attach(claim, await make(1));
    const offered: boolean[] = [];
    for (let i = 0; i <= CHECKPOINT_OFFERS_MAX; i += 1) {
      const { next, work } = await failAndRestart(claim, "shutdown");
      offered.push(work.resume !== undefined);
      claim = next;
    }
    expect(offered).toEqual([true, true, true, false]);
  });

  test("after a retry by a person begins anew, at the commit of that time", async () => {
    await world.submit();
    const claim = await started(box);
    await box.mutation(api.executors.phase, { ...claim, phase: "running", commit: COMMIT });
    await attach(claim, await make(1));
    await finish(box, claim, failed("apiRejected"));
    const operator = await world.user("operator");
    await operator.mutation(api.jobs.retry, { jobId: claim.jobId });
    await world.settle();
    const work = await box.mutation(api.executors.start, await started(box));
    expect([work.commit, work.resume]).toEqual([undefined, undefined]);
  });

  test.each([
    [true, { resumed: 1 }, "resume"],
    [false, { startedOver: 1 }, "startOver"],
  ])(
    "says once whether it could go on: %s → on the job, its attempt and the timeline",
    async (resumed, counts, cause) => {
      await world.submit();
      const claim = await started(box);
      await attach(claim, await make(1));
      const { next } = await failAndRestart(claim, "leaseExpired");
      const told = { from: 1, seq: 1, turns: 1, ms: 5, resumed };
      const resumption = resumed ? told : { ...told, why: "the patch does not apply" };
      for (let i = 0; i < 2; i += 1) {
        await box.mutation(api.checkpoints.restored, { ...next, resumption });
      }
      const viewer = await world.user("viewer");
      const job = await viewer.query(api.jobs.get, { jobId: claim.jobId });
      expect(job).toMatchObject({ ...counts, latest: { attempt: 2, resumption } });
      const events = await viewer.query(api.jobs.events, { jobId: claim.jobId });
      expect(events.filter((event) => event.cause === cause)).toHaveLength(1);
    },
  );
});

describe("files", () => {
  test("addresses to upload to are for the holder of a live lease", async () => {
    await world.submit();
    const claim = await started(box);
    expect(await box.mutation(api.files.uploadUrls, { ...claim, count: 2 })).toHaveLength(2);
    for (const count of [0, 1.5, 65]) {
      const refused = box.mutation(api.files.uploadUrls, { ...claim, count });
      expect(await codeOf(refused)).toBe("INVALID_ARGUMENT");
    }
    const stale = { ...claim, token: claim.token - 1, count: 1 };
    expect(await codeOf(box.mutation(api.files.uploadUrls, stale))).toBe("STALE_LEASE");
  });
});
