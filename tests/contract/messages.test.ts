/** Messages of both directions against the types of the installed `convex` package. */
import { describe, expect, test } from "vitest";
import {
  encodeFrames,
  parseClientMessage,
  type ServerMessage,
  type StateModification,
} from "../../embedded/sync/protocol.js";
import { differences, sampleOf, shapesOf } from "./messageShapes.js";

const at = (n: number) => ({ querySet: n, identity: n, ts: BigInt(n) });
const logLines = ["[LOG] 'x'"];
const modifications: StateModification[] = [
  { type: "QueryUpdated", queryId: 1, value: { a: 1 }, logLines, journal: null },
  {
    type: "QueryFailed",
    queryId: 2,
    errorMessage: "no",
    errorData: { code: 1 },
    logLines,
    journal: "j",
  },
  { type: "QueryRemoved", queryId: 3 },
];
const transition: ServerMessage = {
  type: "Transition",
  startVersion: at(0),
  endVersion: at(1),
  modifications,
  clientClockSkew: 1,
  serverTs: 1,
};
/** One of each kind that the backend sends. */
const SENT: readonly ServerMessage[] = [
  transition,
  { type: "MutationResponse", requestId: 1, success: true, result: null, ts: 1n, logLines },
  {
    type: "MutationResponse",
    requestId: 1,
    success: false,
    result: "no",
    errorData: 1,
    logLines,
  },
  { type: "ActionResponse", requestId: 1, success: true, result: null, logLines },
  { type: "ActionResponse", requestId: 1, success: false, result: "no", logLines },
  { type: "AuthError", error: "no", baseVersion: 1, authUpdateAttempted: true },
  { type: "FatalError", error: "no" },
  { type: "Ping" },
];
/** Sent with more, or with less, than the package's types say; each with its reason. */
const EXCUSED: Readonly<Record<string, string>> = {
  "MutationResponse.ts is unknown": "null when it failed, as the official backend sends it",
};

const server = shapesOf("WireServerMessage");
const frames = [
  ...SENT.flatMap((message) => encodeFrames(message)),
  ...encodeFrames(transition, 50),
].map((text) => JSON.parse(text) as { type: string });

/** Against the shape of that type which it comes closest to. */
function faultsOf(frame: { type: string }): string[] {
  const all = server
    .filter(({ type }) => type === frame.type)
    .map((shape) => differences(frame, shape).filter((fault) => !Object.hasOwn(EXCUSED, fault)));
  const [closest] = all.toSorted((a, b) => a.length - b.length);
  return closest ?? [`${frame.type} is not in the package`];
}

describe("what the backend sends", () => {
  test("has the shapes that the package reads", () => {
    expect(frames.flatMap(faultsOf)).toEqual([]);
  });

  test("is all that the package knows of", () => {
    const unsent = server.filter((shape) =>
      frames.every(
        (frame) =>
          frame.type !== shape.type ||
          differences(frame, shape).some((fault) => !Object.hasOwn(EXCUSED, fault)),
      ),
    );
    expect(unsent.map(({ type }) => type)).toEqual([]);
    expect(server.length).toBeGreaterThan(8);
  });

  test("a field too many, one missing and one of another type are found", () => {
    expect(faultsOf({ type: "FatalError" })).toEqual(["FatalError.error is missing"]);
    const strange = { type: "FatalError", error: 1, more: 2 };
    expect(faultsOf(strange)).toEqual([
      "FatalError.more is unknown",
      "FatalError.error is not string",
    ]);
  });
});

describe("what the package sends", () => {
  const shapes = shapesOf("ClientMessage");

  test.each(shapes.map((shape) => [shape.type, shape] as const))(
    "%s is taken whole, with every field and with the fewest",
    (_type, shape) => {
      for (const isFull of [true, false]) {
        const sample = sampleOf(shape, isFull);
        const taken = parseClientMessage(JSON.stringify(sample));
        expect(Object.keys(taken).toSorted()).toEqual(Object.keys(sample).toSorted());
      }
    },
  );

  test("was found", () => {
    expect(shapes.map(({ type }) => type)).toContain("ModifyQuerySet");
    expect(shapes.length).toBeGreaterThan(7);
  });
});
