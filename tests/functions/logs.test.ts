import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { codeOf, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const entry = (text: string) => ({ at: 1, kind: "text" as const, text });

test("append → the tail; sent twice it is kept once; a gap is answered with where to go on", async () => {
  const executor = await world.executor("box", 1);
  const viewer = await world.user("viewer");
  const jobId = await world.submit();
  const claim = await started(executor);
  expect(await viewer.query(api.logs.tail, { jobId, attempt: 1 })).toEqual({
    sealedChunks: 0,
    tailSeq: 0,
    tail: [],
  });
  const entries = [entry("a"), entry("b")];
  const send = (seq: number) => executor.mutation(api.logs.append, { ...claim, seq, entries });
  expect(await send(0)).toEqual({ nextSeq: 2 });
  expect(await send(0)).toEqual({ nextSeq: 2 });
  expect(await send(1)).toEqual({ nextSeq: 3 });
  expect(await send(9)).toEqual({ nextSeq: 3 });
  const { tail } = await viewer.query(api.logs.tail, { jobId, attempt: 1 });
  expect(tail.map((e) => e.text)).toEqual(["a", "b", "b"]);
});

test("a long log → sealed chunks that never change, and a short tail", async () => {
  const executor = await world.executor("box", 1);
  const viewer = await world.user("viewer");
  const jobId = await world.submit();
  const claim = await started(executor);
  const texts = Array.from({ length: 40 }, (_, i) => `${i}:${"x".repeat(2_000)}`);
  for (let seq = 0; seq < texts.length; seq += 8) {
    const entries = texts.slice(seq, seq + 8).map(entry);
    await executor.mutation(api.logs.append, { ...claim, seq, entries });
  }
  const live = await viewer.query(api.logs.tail, { jobId, attempt: 1 });
  expect(live.sealedChunks).toBeGreaterThan(1);
  const kept: string[] = [];
  for (let index = 0; index < live.sealedChunks; index += 1) {
    const chunk = await viewer.query(api.logs.chunk, { jobId, attempt: 1, index });
    expect(chunk.firstSeq).toBe(kept.length);
    kept.push(...chunk.entries.map((e) => e.text));
  }
  expect(live.tailSeq).toBe(kept.length);
  expect([...kept, ...live.tail.map((e) => e.text)]).toEqual(texts);
  const missing = viewer.query(api.logs.chunk, { jobId, attempt: 1, index: live.sealedChunks });
  expect(await codeOf(missing)).toBe("NOT_FOUND");
});

test("an append out of bounds → INVALID_ARGUMENT, nothing kept", async () => {
  const executor = await world.executor("box", 1);
  await world.submit();
  const claim = await started(executor);
  const before = await world.everything();
  const entries = [entry("x".repeat(20_000))];
  const call = executor.mutation(api.logs.append, { ...claim, seq: 0, entries });
  expect(await codeOf(call)).toBe("INVALID_ARGUMENT");
  expect(await world.everything()).toEqual(before);
});

test("an append changes no row that a list of jobs or executors reads", async () => {
  const executor = await world.executor("box", 1);
  await world.submit();
  const claim = await started(executor);
  const before = await world.everything();
  await executor.mutation(api.logs.append, { ...claim, seq: 0, entries: [entry("x")] });
  const logTails = expect.anything() as unknown;
  expect(await world.everything()).toEqual({ ...(before as object), logTails });
});
