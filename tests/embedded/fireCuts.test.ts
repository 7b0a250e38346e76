/** The official client over a connection that is cut at each of its messages in turn. */
import { beforeAll, describe, expect, test } from "vitest";
import { waitFor } from "../support/waitFor.js";
import { startProxy, type CutPoint } from "./fireProxy.js";
import { httpClient, rows, startDeployed, TestClient, type BackendProcess } from "./wireSupport.js";

/** More messages than the scenario has in one direction. */
const MESSAGES_MAX = 60;
/** Waiting for reconnects is most of the time: as many scenarios at once as the clients bear. */
const AT_ONCE = 12;

let backend: BackendProcess;
beforeAll(async () => {
  backend = await startDeployed({ args: ["--memory"] });
});

/** Subscribes, writes, refuses, unsubscribes, pages, acts; true when the cut came. */
async function scenario(cut: CutPoint & { isDelivered: boolean }): Promise<boolean> {
  const tag = `${cut.direction}-${cut.after}-${String(cut.isDelivered)}`;
  const proxy = await startProxy(backend.url, cut);
  try {
    const one = new TestClient(proxy.url);
    const watch = one.watch(rows.list, { tag });
    const sent = [0, 1, 2].map((n) => one.client.mutation(rows.add, { tag, n }));
    await Promise.all(sent);
    await expect(one.client.mutation(rows.refuse, { tag })).rejects.toThrow("Refused");
    const other = one.watch(rows.page, { tag, paginationOpts: { numItems: 2, cursor: null } });
    await other.until("the first page", ({ page }) => page.length === 2);
    // At most once: a client that is cut off while it waits hears that the outcome is not known.
    const acted = await one.client.action(rows.addTwice, { tag, n: 10 }).then(
      () => 2,
      () => null,
    );
    await one.client.mutation(rows.add, { tag, n: 3 });
    const inStore = await httpClient(backend).query(rows.list, { tag });
    const ns = inStore.map(({ n }) => n);
    expect(ns.filter((n) => n < 10)).toEqual([0, 1, 2, 3]);
    const tens = ns.filter((n) => n === 10).length;
    if (acted === null) expect(tens).toBeLessThanOrEqual(2);
    else expect(tens).toBe(acted);
    await watch.until("the final state", (value) => value.some(({ n }) => n === 3));
    await waitFor("the client to show what the store holds", async () => {
      const now = await httpClient(backend).query(rows.list, { tag });
      return JSON.stringify(watch.last) === JSON.stringify(now);
    });
    expect([...watch.errors, ...other.errors]).toEqual([]);
    await one.client.close();
    return proxy.hasCut();
  } finally {
    await proxy.close();
  }
}

describe.each(["toServer", "toClient"] as const)("cut %s", (direction) => {
  test.each([
    ["lost", false],
    ["delivered", true],
  ])(
    "after each message in turn, that one %s → the right state, each mutation once",
    async (_how, isDelivered) => {
      let hasCut = true;
      for (let first = 1; hasCut; first += AT_ONCE) {
        expect(first).toBeLessThan(MESSAGES_MAX);
        const cuts = await Promise.all(
          Array.from({ length: AT_ONCE }, (_, at) =>
            scenario({ direction, after: first + at, isDelivered }),
          ),
        );
        // The scenario has passed uncut: every message before has had its turn.
        hasCut = cuts.every(Boolean);
      }
    },
  );
});
