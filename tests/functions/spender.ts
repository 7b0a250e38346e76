import { api } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import type { BudgetPeriod, BudgetScope } from "../../convex/protocol/budget.js";
import type { Outcome } from "../../convex/protocol/job.js";
import { aReport, type Executor, type World } from "./world.js";

/** What an administrator of a test's world does with budgets, and what executors spend of them. */
export type Spender = ReturnType<typeof spender>;

const DONE: Outcome = { kind: "succeeded" };
export const LEASE = 900_000;

type More = { scope?: BudgetScope; period?: BudgetPeriod; timeZone?: string };

export function spender(world: World, administrator: Awaited<ReturnType<World["user"]>>) {
  return {
    /** Sets a budget, everybody's for the day unless told. */
    set: async (limitUsd: number, more: More = {}) => {
      const budget = { scope: { kind: "all" }, period: "day", limitUsd, ...more } as const;
      const { budgetId } = await administrator.mutation(api.budgets.set, budget);
      await world.settle();
      return budgetId;
    },
    /** Submits a job that may cost this much. */
    submit: async (maxBudgetUsd?: number, repository = "octo/hello"): Promise<Id<"jobs">> => {
      const limits = maxBudgetUsd === undefined ? {} : { maxBudgetUsd };
      const job = { repository, prompt: "x", limits, concurrencyKey: null };
      const { jobId } = await administrator.mutation(api.jobs.submit, job);
      await world.settle();
      return jobId;
    },
    /** Ends the first attempt that an executor holds. */
    end: async (executor: Executor, costUsd: number, outcome = DONE): Promise<void> => {
      const { started: isStarted, ...claim } = await first(executor);
      if (!isStarted) await executor.mutation(api.executors.start, claim);
      const report = { ...aReport, costUsd };
      await executor.mutation(api.executors.finish, { ...claim, outcome, report });
      await world.settle();
    },
    /** One more word on what it has cost so far; hands out what its executor is told then. */
    meter: async (executor: Executor, costUsd: number): Promise<string | undefined> => {
      const { jobId, token } = await first(executor);
      const tokens = { ...aReport.tokens, input: Math.round(costUsd * 1_000) };
      await executor.mutation(api.executors.meter, { jobId, token, costUsd, tokens });
      return (await executor.query(api.executors.assignments, {}))[0]?.stop;
    },
    /** The one budget. */
    only: async () => (await administrator.query(api.budgets.list, {}))[0],
  };
}

async function first(executor: Executor) {
  const [held] = await executor.query(api.executors.assignments, {});
  if (held === undefined) throw new Error("nothing is assigned");
  const { jobId, token, started } = held;
  return { jobId, token, started };
}
