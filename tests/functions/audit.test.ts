import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { codeOf, START, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const paginationOpts = { numItems: 100, cursor: null };

/** Lines of two actors, a second apart. */
async function lines(count: number) {
  await world.t.run(async (ctx) => {
    for (let i = 0; i < count; i += 1) {
      const actor = i % 2 === 0 ? "user:ada" : "user:bob";
      const target = `executor ${i % 3}`;
      const action = i % 5 === 0 ? "executor.revoked" : "executor.drained";
      await ctx.db.insert("audit", { at: START + i * 1_000, action, actor, target });
    }
  });
}

describe("the audit", () => {
  test("is newest first, and filtered by actor, action, target and time together", async () => {
    const root = await world.user("administrator", "root");
    await lines(60);
    const all = await root.query(api.audit.list, { paginationOpts });
    expect(all.page.map((line) => line.at)).toEqual(
      Array.from({ length: 60 }, (_, i) => START + (59 - i) * 1_000),
    );
    const filter = {
      actor: "user:ada",
      action: "executor.revoked",
      target: "executor 1",
      from: START + 10_000,
      to: START + 41_000,
    };
    const some = await root.query(api.audit.list, { filter, paginationOpts });
    expect(some.page.map((line) => (line.at - START) / 1_000)).toEqual([40, 10]);
  });

  test("leaves as JSON lines, in pages, each line once", async () => {
    const root = await world.user("administrator", "root");
    await lines(1_100);
    const seen: number[] = [];
    let cursor: string | null = null;
    for (let pages = 0; pages < 10; pages += 1) {
      const page: { lines: string; count: number; isDone: boolean; cursor: string } =
        await root.action(api.audit.export, { cursor });
      const parsed = page.lines.split("\n").filter((line) => line !== "");
      expect(parsed).toHaveLength(page.count);
      seen.push(...parsed.map((line) => (JSON.parse(line) as { at: number }).at));
      if (page.isDone) break;
      cursor = page.cursor;
    }
    // The export's own line, which began before it, is the first of its time.
    const expected = Array.from({ length: 1_100 }, (_, i) => START + i * 1_000);
    expect(seen).toEqual([START, ...expected]);
    const exports = { filter: { action: "audit.exported" }, paginationOpts };
    expect((await root.query(api.audit.list, exports)).page).toMatchObject([
      { actor: "user:root", detail: "everything" },
    ]);
    const filter = { actor: "user:bob" };
    const own = await world.t.action(internal.audit.exportAll, { filter, cursor: null });
    expect(own.count).toBe(500);
  });

  test("says who did what to whom, and from where", async () => {
    const root = await world.user("administrator", "root");
    const { executorId } = await world.executor("box");
    const from = root.withIdentity({
      issuer: "https://queue.test/user",
      subject: root.userId,
      sid: root.sessionId,
    });
    await from.withRequestMetadata({ ip: "203.0.113.7\r\nforged" }).mutation(api.executors.revoke, {
      executorId,
    });
    const filter = { action: "executor.revoked" };
    const { page } = await root.query(api.audit.list, { filter, paginationOpts });
    expect(page).toMatchObject([{ actor: "user:root", target: "box", ip: "203.0.113.7??forged" }]);
  });

  test("is for administrators alone", async () => {
    const operator = await world.user("operator");
    expect(await codeOf(operator.query(api.audit.list, { paginationOpts }))).toBe("FORBIDDEN");
    expect(await codeOf(operator.action(api.audit.export, { cursor: null }))).toBe("FORBIDDEN");
  });
});

test("a refused sign-in names who was tried, on one line, and where from", async () => {
  const given = { username: "root\n2026 admin signed in", password: "x" };
  const caller = world.t.withRequestMetadata({ ip: "203.0.113.7" });
  expect(await caller.action(api.auth.signIn, given)).toMatchObject({ ok: false });
  const rows = await world.t.run((ctx) => ctx.db.query("audit").collect());
  expect(rows).toMatchObject([
    { action: "signIn.refused", actor: "user:root?2026 admin signed in", ip: "203.0.113.7" },
  ]);
});

/** Tables whose rows a call changed. */
async function changedBy(call: () => Promise<unknown>): Promise<string[]> {
  const before = await texts();
  await call();
  const after = await texts();
  return Object.keys(after).filter((table) => before[table] !== after[table]);
}

/** The rows of each table as one text. */
async function texts(): Promise<Record<string, string>> {
  const all = Object.entries((await world.everything()) as Record<string, unknown>);
  const plain = (_: string, value: unknown) => (typeof value === "bigint" ? `${value}n` : value);
  return Object.fromEntries(all.map(([table, rows]) => [table, JSON.stringify(rows, plain)]));
}

test("what comes all the time changes rows of its own: a heartbeat the lease, a log its tail", async () => {
  const executor = await world.executor("box", 1);
  await world.submit();
  const claim = await started(executor);
  vi.setSystemTime(Date.now() + 1_000);
  const beat = () => executor.mutation(api.executors.heartbeat, { held: [claim] });
  expect(await changedBy(beat)).toEqual(["leases"]);
  const entries = [{ at: 1, kind: "text" as const, text: "x" }];
  const append = () => executor.mutation(api.logs.append, { ...claim, seq: 0, entries });
  expect(await changedBy(append)).toEqual(["logTails"]);
});
