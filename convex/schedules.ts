import { v } from "convex/values";
import { checkCadence, checkInstant, nextAfter } from "./domain/schedule.js";
import { accept } from "./lib/errors.js";
import { userMutation, userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as Schedules from "./model/schedules.js";
import { cadence, catchUp, scheduleView, submissionFields } from "./protocol/queue.js";

const PREVIEWED = 5;
const one = { scheduleId: v.string() };

/** All schedules, by name. */
export const list = userQuery("viewer")({
  args: {},
  returns: v.array(scheduleView),
  handler: async (ctx) => (await Schedules.list(ctx)).map(Schedules.view),
});

/** One schedule. */
export const get = userQuery("viewer")({
  args: one,
  returns: scheduleView,
  handler: async (ctx, { scheduleId }) => Schedules.view(await Schedules.get(ctx, scheduleId)),
});

/** The next times a cadence would fire after a time, at most five; INVALID_ARGUMENT says what is wrong with it. */
export const preview = userQuery("viewer")({
  args: { cadence, after: v.number() },
  returns: v.array(v.number()),
  handler: (_ctx, args) => {
    accept(checkInstant(args.after));
    accept(checkCadence(args.cadence, args.after));
    const times: number[] = [];
    for (let i = 0; i < PREVIEWED; i += 1) {
      const next = nextAfter(args.cadence, times.at(-1) ?? args.after);
      if (next === null) break;
      times.push(next);
    }
    return times;
  },
});

/** Makes a schedule; it fires from now on. Its jobs are its maker's. */
export const create = userMutation("operator")({
  args: {
    name: v.string(),
    cadence,
    catchUp: v.optional(catchUp),
    submission: submissionFields,
  },
  returns: v.id("schedules"),
  handler: async (ctx, args) => {
    const actor = `user:${ctx.user.username}`;
    const typed = { ...args, catchUp: args.catchUp ?? "skip" };
    const scheduleId = await Schedules.create(ctx, typed, actor);
    await Audit.write(ctx, { action: "schedule.created", actor, target: args.name });
    return scheduleId;
  },
});

/** Changes what is given of a schedule. */
export const update = userMutation("operator")({
  args: {
    ...one,
    name: v.optional(v.string()),
    cadence: v.optional(cadence),
    catchUp: v.optional(catchUp),
    submission: v.optional(submissionFields),
  },
  returns: v.null(),
  handler: async (ctx, { scheduleId, ...changes }) => {
    const row = await Schedules.get(ctx, scheduleId);
    await Schedules.update(ctx, row, changes);
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: "schedule.changed", actor, target: row.name });
    return null;
  },
});

/** Fires no more until it is resumed. */
export const pause = userMutation("operator")({
  args: one,
  returns: v.null(),
  handler: async (ctx, { scheduleId }) => {
    const row = await Schedules.get(ctx, scheduleId);
    await Schedules.pause(ctx, row);
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: "schedule.paused", actor, target: row.name });
    return null;
  },
});

/** Fires again from now on; what would have fired meanwhile is not made up for. */
export const resume = userMutation("operator")({
  args: one,
  returns: v.null(),
  handler: async (ctx, { scheduleId }) => {
    const row = await Schedules.get(ctx, scheduleId);
    await Schedules.resume(ctx, row);
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: "schedule.resumed", actor, target: row.name });
    return null;
  },
});

/** Submits its job now; the next occurrence stays as it is. */
export const runNow = userMutation("operator")({
  args: one,
  returns: v.id("jobs"),
  handler: async (ctx, { scheduleId }) => {
    const row = await Schedules.get(ctx, scheduleId);
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: "schedule.ranNow", actor, target: row.name });
    return Schedules.runNow(ctx, row, actor);
  },
});

/** Deletes a schedule; jobs it submitted stay. */
export const remove = userMutation("operator")({
  args: one,
  returns: v.null(),
  handler: async (ctx, { scheduleId }) => {
    const row = await Schedules.get(ctx, scheduleId);
    await Schedules.remove(ctx, row);
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: "schedule.deleted", actor, target: row.name });
    return null;
  },
});
