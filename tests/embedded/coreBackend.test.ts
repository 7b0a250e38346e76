/** The whole core over a data folder, and what happens around commits: conflicts, crashes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ConflictError } from "../../embedded/engine/engine.js";
import { openBackend } from "../../embedded/functions/backend.js";
import { call, openWithFixtures, valueOf } from "./coreSupport.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "core-backend-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const add = call("jobs:add", { state: "free", priority: 1 });

test("opened again: deployment, documents, environment, jobs and answers are there", async () => {
  const session = { sessionId: "s", requestId: 7 };
  const before = await openWithFixtures({ dataDir: folder });
  const made = await before.runner.mutation(add, { session });
  valueOf(await before.runner.mutation(call("jobs:later", { isFailing: false })));
  await before.deployment.setEnvironment([{ name: "COLOR", value: "red" }]);
  const { ts } = made;
  await before.close();

  const after = await openBackend({ dataDir: folder });
  expect(after.deployment.environment()).toEqual({ COLOR: "red" });
  expect(after.engine.latestTs()).toBeGreaterThan(ts ?? 0n);
  const again = await after.runner.mutation(add, { session });
  expect(again).toEqual(made);
  const found = await after.runner.query(call("jobs:first", { state: "free" }));
  expect(valueOf(found)).toMatchObject({ _id: valueOf(made) });
  const [job] = after.engine.begin().scan("_scheduled_functions", {
    index: "by_next_ts",
    range: [{ type: "Gt", fieldPath: "nextTs", value: null }],
  });
  expect(job).toMatchObject({ name: "jobs.js:hidden", state: { kind: "pending" } });
  const wrong = await after.runner.mutation(call("jobs:wrong"));
  expect(!wrong.ok && wrong.error.message).toContain("does not match the schema");
  await after.close();
});

test("a mutation that conflicts is run again; when it always does, the table is named", async () => {
  let conflicts = 0;
  const backend = await openWithFixtures({
    hooks: {
      beforeCommit: (tx) => {
        if (tx.writes.isEmpty || conflicts <= 0) return;
        conflicts -= 1;
        throw new ConflictError("jobs");
      },
    },
  });
  conflicts = 2;
  expect((await backend.runner.mutation(add)).ok).toBe(true);
  conflicts = Infinity;
  const refused = await backend.runner.mutation(add);
  expect(refused).toMatchObject({ ok: false, ts: null, error: { code: "Conflict" } });
  expect(!refused.ok && refused.error.message).toContain(
    'from or written to the "jobs" table changed while this mutation was being run and on every subsequent retry',
  );
  conflicts = 0;
  await backend.close();
});

test("many claims at once over a data folder all succeed, each with its own job", async () => {
  const backend = await openWithFixtures({ dataDir: folder, isSynced: false });
  const count = 20;
  await Promise.all(Array.from({ length: count }, () => backend.runner.mutation(add)));
  const claims = await Promise.all(
    Array.from({ length: count }, (_, n) =>
      backend.runner.mutation(call("jobs:claim", { by: String(n) })),
    ),
  );
  expect(new Set(claims.map((outcome) => valueOf(outcome))).size).toBe(count);
  await backend.close();
});

test("extra writes commit with the mutation, and a refused condition runs nothing", async () => {
  const backend = await openWithFixtures();
  const note = (tx: { insert: (table: string, fields: { name: string }) => string }) => {
    tx.insert("_cron_job_logs", { name: "done" });
  };
  const ran = await backend.runner.runMutationWith(call("jobs:hidden"), { beforeCommit: note });
  expect(ran.ok).toBe(true);
  const failed = await backend.runner.runMutationWith(call("jobs:refused"), { beforeCommit: note });
  expect(failed.ok).toBe(false);
  const options = { beforeRun: () => false, beforeCommit: note };
  expect(await backend.runner.runMutationWith(call("jobs:hidden"), options)).toEqual({
    ok: "skipped",
  });
  expect([...backend.engine.begin().scan("_cron_job_logs")]).toHaveLength(1);
  await backend.close();
});

test("a commit to a table wakes those who wait for it", async () => {
  const backend = await openWithFixtures();
  let woken = 0;
  backend.engine.onTableCommit("_scheduled_functions", () => (woken += 1));
  valueOf(await backend.runner.mutation(add));
  expect(woken).toBe(0);
  valueOf(await backend.runner.mutation(call("jobs:later", { isFailing: false })));
  expect(woken).toBe(1);
  await backend.close();
});
