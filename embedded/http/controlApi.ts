/** Endpoints by which a test moves the clock. They exist only with --control and need the admin key. */
import { z } from "zod";
import type { ControlledClock } from "../control.js";
import { httpLimits } from "./limits.js";
import type { Route } from "./router.js";

const timeForm = z.union([
  z.object({ advanceMs: z.number() }),
  z.object({ setMs: z.number().nonnegative() }),
]);

export function controlRoutes(options: {
  clock: ControlledClock;
  /** Resolves when no scheduled function or cron is due or runs. */
  idle: () => Promise<void>;
}): Route[] {
  const { clock, idle } = options;
  return [
    {
      method: "POST",
      path: "/control/time",
      handle: async (request) => {
        await request.admin();
        const form = await request.json(timeForm, httpLimits.callBytesMax);
        if ("advanceMs" in form) clock.advance(form.advanceMs);
        else clock.set(form.setMs);
        return { json: { nowMs: clock.nowMs() } };
      },
    },
    {
      method: "POST",
      path: "/control/idle",
      handle: async (request) => {
        await request.admin();
        await idle();
        return { json: { nowMs: clock.nowMs() } };
      },
    },
  ];
}
