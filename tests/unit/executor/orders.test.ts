import { describe, expect, it } from "vitest";
import type { Id } from "../../../convex/_generated/dataModel.js";
import type { SteeringOrder } from "../../../convex/protocol/steering.js";
import type { Message } from "../../../executor/claude/control.js";
import { carryOrders } from "../../../executor/orders.js";
import { aHeld } from "./factories.js";
import { settle } from "./fakeClock.js";

// Ids are text to whoever only carries them.
const id = (text: string) => text as Id<"steering">;
const order = (name: string, more: Partial<SteeringOrder> = {}): SteeringOrder => ({
  ...{ steeringId: id(name), kind: "message", messageId: `m-${name}`, text: name },
  ...more,
});

function someOrders(...batches: SteeringOrder[][]) {
  const did: string[] = [];
  let isTaking = true;
  let fetches = 0;
  const orders = carryOrders({
    held: aHeld(),
    backend: {
      takeOrders: () => {
        fetches += 1;
        return Promise.resolve(batches.shift() ?? []);
      },
      acknowledgeOrder: (_, { steeringId }) => {
        did.push(`acknowledged ${steeringId}`);
        return Promise.resolve();
      },
    },
    mark: () => undefined,
    heed: (error) => did.push(String(error)),
  });
  const does = (what: string) => (message?: Message) => {
    if (isTaking) did.push(message === undefined ? what : `${what} ${message.text}`);
    return isTaking;
  };
  const run = {
    ...{ say: does("say"), interrupt: does("interrupt"), stopAfterTurn: does("stop") },
    askUsage: () => undefined,
  };
  const refuse = (): void => {
    isTaking = false;
  };
  return { orders, run, did, refuse, fetches: () => fetches };
}

describe("what people tell a run", () => {
  it("is fetched once the run can hear it, and acknowledged when it took it up", async () => {
    const { orders, run, did, fetches } = someOrders([order("one")]);
    orders.told(1);
    await settle();
    expect(fetches()).toBe(0);
    orders.attach(run);
    await settle();
    expect(did).toEqual(["say one"]);
    orders.onTaken("m-one");
    orders.onTaken("m-one");
    orders.told(1);
    await settle();
    expect([did, fetches()]).toEqual([["say one", "acknowledged one"], 1]);
  });

  it("nobody told anything → nothing is fetched", async () => {
    const { orders, run, fetches } = someOrders();
    orders.attach(run);
    orders.told(0);
    await settle();
    expect(fetches()).toBe(0);
  });

  it("what was handed out twice is done once, in order", async () => {
    const both = [order("one"), order("two")];
    const { orders, run, did } = someOrders([order("one")], both);
    orders.attach(run);
    orders.told(1);
    await settle();
    orders.told(2);
    await settle();
    expect(did).toEqual(["say one", "say two"]);
  });

  it("an interrupt without a text and a stop are done when they are heard", async () => {
    const bare = { steeringId: id("cut"), kind: "interrupt", messageId: "m-cut" } as const;
    const stop = { steeringId: id("halt"), kind: "stopAfterTurn", messageId: "m-halt" } as const;
    const { orders, run, did } = someOrders([order("turn", { kind: "interrupt" }), bare, stop]);
    orders.attach(run);
    orders.told(3);
    await settle();
    orders.onTaken("m-turn");
    expect(did).toEqual([
      ...["interrupt turn", "interrupt", "acknowledged cut", "stop", "acknowledged halt"],
      "acknowledged turn",
    ]);
  });

  it("what a run did not take up before it was started over is said to the next one", async () => {
    const { orders, run, did } = someOrders([order("one"), order("two")], [order("one")]);
    orders.attach(run);
    orders.told(2);
    await settle();
    orders.onTaken("m-two");
    orders.stop();
    orders.attach({ ...run });
    await settle();
    orders.onTaken("m-one");
    expect(did).toEqual(["say one", "say two", "acknowledged two", "say one", "acknowledged one"]);
  });

  it("a run that begins while the one before it still asks gets what it asked for", async () => {
    const { orders, run, did } = someOrders([order("one")], [order("one")]);
    orders.told(1);
    const gone = (): boolean => did.push("said to nobody") > 0;
    orders.attach({ ...run, say: gone });
    orders.stop();
    orders.attach(run);
    await settle();
    expect(did).toEqual(["say one"]);
  });

  it("a run that takes nothing more acknowledges nothing", async () => {
    const { orders, run, did, refuse } = someOrders([order("late")]);
    refuse();
    orders.attach(run);
    orders.told(1);
    await settle();
    expect(did).toEqual([]);
  });
});
