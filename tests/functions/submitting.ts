import { api } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import { finish, started, type Executor, type World } from "./world.js";

export type Person = Awaited<ReturnType<World["user"]>>;

/** What a submission may say beside its repository and prompt. */
type Extra = {
  repository?: string;
  concurrencyKey?: string | null;
  labels?: string[];
  priority?: number;
  runAt?: number;
  after?: string[];
  onDependencyFailure?: "cancel" | "hold" | "run";
  hold?: boolean;
};

/** Submits as a person, without a key unless one is given, and lets what follows happen. */
export function submitter(world: World, person: Person) {
  return async (extra: Extra = {}, as: Person = person): Promise<Id<"jobs">> => {
    const args = { repository: "octo/hello", prompt: "x", concurrencyKey: null, ...extra };
    const { jobId } = await as.mutation(api.jobs.submit, args);
    await world.settle();
    return jobId;
  };
}

/** Runs the one assignment of an executor to a good end; hands out which job it was. */
export async function runToEnd(world: World, executor: Executor): Promise<Id<"jobs">> {
  const claim = await started(executor);
  await finish(executor, claim, { kind: "succeeded" });
  await world.settle();
  return claim.jobId;
}
