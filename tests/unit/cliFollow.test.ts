import { describe, expect, test } from "vitest";
import type { JobState } from "../../convex/protocol/job.js";
import type { LogEntry, LogTail } from "../../convex/protocol/log.js";
import type { JobDetail } from "../../convex/protocol/view.js";
import type { JobId, Watcher } from "../../cli/backend.js";
import { followJob } from "../../cli/follow.js";

// Ids are strings with a brand that only the backend gives.
const jobId = "job1" as JobId;
const executorId = "executor1" as JobDetail["latest"] extends infer A | null
  ? A extends { executorId: infer E }
    ? E
    : never
  : never;

function aJob(state: JobState, attempt: number): JobDetail {
  return {
    jobId,
    submittedAt: 0,
    submittedBy: "admin",
    title: "Do it",
    spec: { repository: { kind: "local", path: "/r" }, ref: "HEAD", limits: {} },
    labels: [],
    priority: 5,
    state,
    cancelRequested: false,
    attempt,
    attemptsMax: 3,
    charged: 0,
    interruptions: 0,
    latest: null,
  };
}
const entry = (text: string): LogEntry => ({ at: 0, kind: "text", text });
const running = (phase: "cloning" | "running"): JobState => ({
  kind: "running",
  executorId,
  assignedAt: 1,
  startedAt: 2,
  phase,
});

/** A backend whose answers the test gives by hand. */
function aBackend() {
  const watchers = new Map<number, Watcher<LogTail>>();
  let job: Watcher<JobDetail> | undefined;
  const chunks: LogEntry[][] = [];
  let finalTail: LogTail = { sealedChunks: 0, tailSeq: 0, tail: [] };
  return {
    chunks,
    tellJob: (value: JobDetail) => job?.onValue(value),
    failJob: (error: Error) => job?.onError(error),
    tellTail: (attempt: number, value: LogTail) => watchers.get(attempt)?.onValue(value),
    setFinalTail: (value: LogTail) => {
      finalTail = value;
    },
    watched: () => [...watchers.keys()],
    backend: {
      watchJob: (_: JobId, watcher: Watcher<JobDetail>) => {
        job = watcher;
        return () => undefined;
      },
      watchLogTail: ({ attempt }: { attempt: number }, watcher: Watcher<LogTail>) => {
        watchers.set(attempt, watcher);
        return () => watchers.delete(attempt);
      },
      getLogTail: () => Promise.resolve(finalTail),
      getLogChunk: ({ index }: { index: number }) =>
        Promise.resolve({
          firstSeq: chunks.slice(0, index).reduce((n, c) => n + c.length, 0),
          entries: chunks[index] ?? [],
        }),
    },
  };
}

function anOutput() {
  const said: string[] = [];
  const steps: string[] = [];
  const output = {
    said,
    steps,
    data: () => undefined,
    say: (text: string) => said.push(text.trim()),
    progress: (text: string) => steps.push(text),
    endProgress: () => undefined,
  };
  return output;
}

describe("following a job", () => {
  test("shows every step and resolves with the ended job", async () => {
    const { backend, tellJob } = aBackend();
    const output = anOutput();
    const followed = followJob({ backend, jobId, output });
    tellJob(aJob({ kind: "pending" }, 0));
    tellJob(aJob(running("cloning"), 1));
    tellJob(aJob(running("running"), 1));
    tellJob(aJob({ kind: "succeeded", endedAt: 9 }, 1));
    expect((await followed).state.kind).toBe("succeeded");
    expect(output.steps).toEqual([
      "step 1 of 5: queued",
      "step 2 of 5: cloning",
      "step 3 of 5: running",
      "step 5 of 5: done, succeeded",
    ]);
  });

  test("each log entry is shown once and in order, across sealed chunks and a late last tail", async () => {
    const fake = aBackend();
    const output = anOutput();
    const followed = followJob({ backend: fake.backend, jobId, output });
    fake.tellJob(aJob(running("running"), 1));
    fake.tellTail(1, { sealedChunks: 0, tailSeq: 0, tail: [entry("0"), entry("1")] });
    fake.chunks.push([entry("0"), entry("1"), entry("2")]);
    fake.tellTail(1, { sealedChunks: 1, tailSeq: 3, tail: [entry("3")] });
    fake.tellTail(1, { sealedChunks: 1, tailSeq: 3, tail: [entry("3"), entry("4")] });
    fake.setFinalTail({ sealedChunks: 1, tailSeq: 3, tail: [entry("3"), entry("4"), entry("5")] });
    fake.tellJob(aJob({ kind: "failed", endedAt: 9, reason: "cliError" }, 1));
    await followed;
    expect(output.said).toEqual(["» 0", "» 1", "» 2", "» 3", "» 4", "» 5"]);
  });

  test("a new attempt → its own log from the start", async () => {
    const fake = aBackend();
    const output = anOutput();
    const followed = followJob({ backend: fake.backend, jobId, output });
    fake.tellJob(aJob(running("running"), 1));
    fake.tellTail(1, { sealedChunks: 0, tailSeq: 0, tail: [entry("first")] });
    fake.tellJob(aJob({ kind: "backoff", runAt: 5, reason: "apiError" }, 1));
    fake.tellJob(aJob(running("running"), 2));
    fake.tellTail(2, { sealedChunks: 0, tailSeq: 0, tail: [entry("second")] });
    expect(fake.watched()).toEqual([2]);
    fake.setFinalTail({ sealedChunks: 0, tailSeq: 0, tail: [entry("second")] });
    fake.tellJob(aJob({ kind: "succeeded", endedAt: 9 }, 2));
    await followed;
    expect(output.said.filter((line) => line.startsWith("»"))).toEqual(["» first", "» second"]);
    expect(output.steps).toContain("step 1 of 5: queued again after apiError");
  });

  test("a subscription that cannot go on → rejected", async () => {
    const fake = aBackend();
    const followed = followJob({ backend: fake.backend, jobId, output: anOutput() });
    fake.failJob(new Error("gone"));
    await expect(followed).rejects.toThrow("gone");
  });
});
