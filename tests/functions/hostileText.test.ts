import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { codeOf, registration, START, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

/** Colours, a link, a line of its own, text that reads backwards, markup, and what ends a JSON line. */
const HOSTILE =
  "\u001b[31mred \u001b]8;;https://evil.test\u0007x\r\nforged: user:root did it\u202egnp\u2028<script>alert(1)</script>\0";

test("46: nothing that people or executors write can forge or hide a line of the audit", async () => {
  const root = await world.user("administrator", "root");
  await world.t.action(api.auth.signIn, { username: HOSTILE, password: "x" });
  await root.mutation(api.sessions.rename, { sessionId: root.sessionId, label: HOSTILE });
  await codeOf(root.mutation(api.queue.pause, { reason: HOSTILE }));
  await codeOf(root.mutation(api.executors.createEnrolment, { label: HOSTILE }));
  await codeOf(root.mutation(api.templates.save, { name: HOSTILE, text: HOSTILE }));
  const alertId = await world.alert();
  await root.mutation(api.alerts.acknowledge, { alertId, note: HOSTILE.slice(0, 50) });
  const stop = { reason: HOSTILE, running: "drain" } as const;
  await codeOf(
    root.mutation(api.emergency.stop, { ...stop, revokeExecutors: false, endSessions: false }),
  );
  const process = world.process(await world.enrol("box"), HOSTILE, START);
  const announced = { ...registration(1), version: HOSTILE, labels: [HOSTILE] };
  await codeOf(process.mutation(api.executors.register, { registration: announced }));
  await process.mutation(api.executors.register, { registration: registration(1) });
  const rows = await world.t.run((ctx) => ctx.db.query("audit").collect());
  expect(rows.length).toBeGreaterThanOrEqual(6);
  expect(
    rows
      .flatMap(({ actor, action, target = "", detail = "" }) => [actor, action, target, detail])
      .filter((text) => !/^[\x20-\x7e]*$/.test(text)),
  ).toEqual([]);
  const { lines, count } = await root.action(api.audit.export, { cursor: null });
  expect(lines.trimEnd().split(/[\r\n\u2028\u2029]/)).toHaveLength(count);
});
