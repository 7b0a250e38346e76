/** How a scheduled run looks to the function it calls: nobody's identity, no outside request. */
import { randomBytes } from "node:crypto";
import type { JSONValue } from "convex/values";
import type { FunctionCall, Identity } from "../functions/types.js";

const NOBODY: Identity = { kind: "none" };
/** Only to look up types: internal functions are hidden from everybody else. */
const SYSTEM: Identity = { kind: "admin", name: "scheduler", actingAs: null };

export function scheduledCall(target: {
  componentPath: string;
  path: string;
  args: JSONValue;
}): FunctionCall {
  return {
    ...target,
    identity: NOBODY,
    request: {
      ip: null,
      userAgent: null,
      requestId: randomBytes(8).toString("hex"),
      authToken: null,
    },
  };
}

export const asSystem = (call: FunctionCall) => ({ ...call, identity: SYSTEM });
