import fc from "fast-check";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  diagram,
  EVENT_KINDS,
  type EventKind,
  isTerminal,
  type Row,
  ROWS,
  rowOf,
  rowsOf,
  step,
  TABLE,
} from "../../convex/domain/lifecycle.js";

const HELD: readonly Row[] = ["assigned", "running", "canceling"];

describe("the table", () => {
  test("has a cell for each row and event, and no other", () => {
    expect(Object.keys(TABLE).sort()).toEqual([...ROWS].sort());
    for (const row of ROWS) expect(Object.keys(TABLE[row]).sort()).toEqual([...EVENT_KINDS].sort());
  });

  test("an attempt ends exactly where a held job becomes one that is not held", () => {
    for (const row of ROWS) {
      for (const event of EVENT_KINDS) {
        const cell = step(row, event);
        if (cell === "keep" || cell === "refuse") continue;
        const isHeldAfter = rowsOf(cell.to).some((to) => HELD.includes(to));
        expect(cell.ends, `${row} × ${event}`).toBe(HELD.includes(row) && !isHeldAfter);
      }
    }
  });

  test("who asks for what is so already changes nothing, and is not refused", () => {
    const kept = ROWS.flatMap((row) =>
      EVENT_KINDS.filter((event) => step(row, event) === "keep").map(
        (event) => `${row} × ${event}`,
      ),
    );
    expect(kept).toEqual([
      "pending × requeue",
      "canceled × cancel",
      "held × hold",
      "canceling × cancel",
    ]);
  });

  test("a terminal state is left by retry alone, and success by nothing", () => {
    for (const row of ROWS.filter(isTerminal)) {
      const leaving = EVENT_KINDS.filter((event) => typeof step(row, event) === "object");
      expect(leaving).toEqual(row === "succeeded" ? [] : ["retry"]);
    }
  });

  test("only assign makes a job held", () => {
    for (const row of ROWS.filter((r) => !HELD.includes(r))) {
      for (const event of EVENT_KINDS) {
        const cell = step(row, event);
        if (typeof cell === "object" && rowsOf(cell.to).some((to) => HELD.includes(to))) {
          expect([row, event]).toEqual(["pending", "assign"]);
        }
      }
    }
  });

  test("a held job goes on by a release alone: no clock, no other job, no dispatcher moves it", () => {
    const moving = EVENT_KINDS.filter((event) => typeof step("held", event) === "object");
    expect(moving).toEqual(["release", "cancel"]);
  });

  test("a job whose run asks goes on by an answer alone", () => {
    const moving = EVENT_KINDS.filter((event) => typeof step("asking", event) === "object");
    expect(moving).toEqual(["answer", "cancel"]);
    expect(step("running", "ask")).toEqual({ to: "asking", ends: true });
    expect(step("asking", "answer")).toEqual({ to: "admit", ends: false });
  });

  test("a run that a person ended early is canceled, and no other row knows that end", () => {
    const ending = ROWS.filter((row) => step(row, "stop") !== "refuse");
    expect(ending).toEqual(["running", "canceling"]);
    expect(step("running", "stop")).toEqual({ to: "canceled", ends: true });
  });

  test("each state is reachable from pending, and can reach an end", () => {
    const next = (row: Row): Row[] =>
      EVENT_KINDS.flatMap((event) => {
        const cell = step(row, event);
        return typeof cell === "string" ? [] : rowsOf(cell.to);
      });
    const reach = (from: Row): Set<Row> => {
      const seen = new Set<Row>([from]);
      for (const row of seen) for (const to of next(row)) seen.add(to);
      return seen;
    };
    expect([...reach("pending")].sort()).toEqual([...ROWS].sort());
    for (const row of ROWS) expect([...reach(row)].some(isTerminal)).toBe(true);
  });

  test("after cancel was accepted, no history without retry ends other than canceled", () => {
    const choice = fc.nat();
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...EVENT_KINDS), choice)), (history) => {
        let row: Row = "pending";
        let isAsked = false;
        for (const [event, chosen] of history) {
          const cell = step(row, event);
          if (cell !== "refuse" && event === "cancel") isAsked = true;
          if (event === "retry" && cell !== "refuse") isAsked = false;
          if (typeof cell === "object") {
            const rows = rowsOf(cell.to);
            row = rows[chosen % rows.length] ?? row;
          }
          if (isAsked) expect(["canceling", "canceled"]).toContain(row);
        }
      }),
    );
  });
});

test.each<[EventKind, Row]>([
  ["succeed", "canceled"],
  ["fail", "canceled"],
  ["interrupt", "canceled"],
  ["expire", "canceled"],
  ["canceled", "canceled"],
  ["stop", "canceled"],
  ["ask", "canceled"],
])("canceling → %s → %s", (event, to) => {
  expect(step("canceling", event)).toEqual({ to, ends: true });
});

test("a running job that was asked to cancel is in the row canceling, any other in its own", () => {
  expect(rowOf({ kind: "pending" }, true)).toBe("pending");
  expect(rowOf({ kind: "canceled", endedAt: 1 }, false)).toBe("canceled");
  expect(rowOf({ kind: "waiting", reason: "approval", since: 1 }, false)).toBe("held");
  expect(rowOf({ kind: "waiting", reason: "answer", since: 1 }, false)).toBe("asking");
  expect(rowOf({ kind: "waiting", reason: "schedule", since: 1 }, false)).toBe("waiting");
});

test("convex/README.md shows the diagram of this table", () => {
  const readme = readFileSync(new URL("../../convex/README.md", import.meta.url), "utf8");
  const shown = /<!-- diagram -->\n\n```mermaid\n([\s\S]*?)\n```\n\n<!-- \/diagram -->/.exec(
    readme,
  );
  expect(shown?.[1]).toBe(diagram());
});
