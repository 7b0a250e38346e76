import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { codeOf, START, started, World } from "./world.js";

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

test("the tail after an entry is what came later; after more than there is → nothing yet", async () => {
  const executor = await world.executor("box", 1);
  const viewer = await world.user("viewer");
  const jobId = await world.submit();
  const claim = await started(executor);
  const entries = ["a", "b", "c"].map(entry);
  await executor.mutation(api.logs.append, { ...claim, seq: 0, entries });
  const tail = (after: number) => viewer.query(api.logs.tail, { jobId, attempt: 1, after });
  expect(await tail(2)).toEqual({ sealedChunks: 0, tailSeq: 2, tail: [entry("c")] });
  expect(await tail(9)).toEqual({ sealedChunks: 0, tailSeq: 3, tail: [] });
  expect(await codeOf(tail(0.5))).toBe("INVALID_ARGUMENT");
});

test("an entry that was sealed meanwhile is in the tail after it; older ones are in the chunks", async () => {
  const executor = await world.executor("box", 1);
  const viewer = await world.user("viewer");
  const jobId = await world.submit();
  const claim = await started(executor);
  const texts = Array.from({ length: 9 }, (_, i) => `${i}:${"x".repeat(12_000)}`);
  await executor.mutation(api.logs.append, { ...claim, seq: 0, entries: texts.map(entry) });
  const tail = async (after: number) => {
    const read = await viewer.query(api.logs.tail, { jobId, attempt: 1, after });
    return { from: read.tailSeq, texts: read.tail.map(({ text }) => text) };
  };
  const { sealedChunks, tailSeq } = await viewer.query(api.logs.tail, { jobId, attempt: 1 });
  expect(sealedChunks).toBeGreaterThan(1);
  expect(await tail(tailSeq - 1)).toEqual({ from: tailSeq - 1, texts: texts.slice(tailSeq - 1) });
  expect(await tail(0)).toEqual({ from: tailSeq, texts: texts.slice(tailSeq) });
});

test("sealed chunks are read many at a time, in order, at most 16", async () => {
  const executor = await world.executor("box", 1);
  const viewer = await world.user("viewer");
  const jobId = await world.submit();
  const claim = await started(executor);
  const long = entry("x".repeat(16_000));
  for (let seq = 0; seq < 45; seq += 15) {
    const entries = Array.from({ length: 15 }, () => long);
    await executor.mutation(api.logs.append, { ...claim, seq, entries });
  }
  const read = async (from: number) =>
    (await viewer.query(api.logs.chunks, { jobId, attempt: 1, from })).map(({ index }) => index);
  const { sealedChunks } = await viewer.query(api.logs.tail, { jobId, attempt: 1 });
  expect(sealedChunks).toBeGreaterThan(16);
  expect(await read(0)).toEqual(Array.from({ length: 16 }, (_, index) => index));
  expect((await read(16)).at(-1)).toBe(sealedChunks - 1);
  expect(await read(sealedChunks)).toEqual([]);
});

test("a tool's input counts like its text, in the bounds of an append and of the tail", async () => {
  const executor = await world.executor("box", 1);
  const viewer = await world.user("viewer");
  const jobId = await world.submit();
  const claim = await started(executor);
  const tool = (chars: number) => ({ ...entry("Edit"), call: "c", input: "i".repeat(chars) });
  const send = (entries: ReturnType<typeof tool>[]) =>
    executor.mutation(api.logs.append, { ...claim, seq: 0, entries });
  expect(await codeOf(send([tool(17_000)]))).toBe("INVALID_ARGUMENT");
  await send([tool(15_000), tool(15_000), tool(15_000)]);
  const { sealedChunks } = await viewer.query(api.logs.tail, { jobId, attempt: 1 });
  expect(sealedChunks).toBe(1);
});

test("the lease of who has the job is told, and moves with its heartbeat; nobody has it → null", async () => {
  const viewer = await world.user("viewer");
  const jobId = await world.submit();
  const lease = () => viewer.query(api.jobs.lease, { jobId });
  expect(await lease()).toBeNull();
  const executor = await world.executor("box", 1, 30_000);
  expect(await lease()).toEqual({ expiresAt: START + 30_000, leaseMs: 30_000 });
  const claim = await started(executor);
  vi.setSystemTime(START + 5_000);
  await executor.mutation(api.executors.heartbeat, { held: [claim] });
  expect(await lease()).toEqual({ expiresAt: START + 35_000, leaseMs: 30_000 });
});
