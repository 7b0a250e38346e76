/** After the demo's own job: everything stays up, further jobs are told of, until Ctrl-C. */
import type { JobView } from "../../convex/protocol/view.js";
import type { Output } from "../output.js";
import type { Deployment } from "./deployment.js";

const JOBS_WATCHED = 20;

export type Stay = {
  deployment: Pick<Deployment, "backend" | "people">;
  /** Named in the example of how to submit another job. */
  repository: string;
  output: Output;
};

/** Never resolves: the caller ends it. Rejects when the subscription cannot go on. */
export function stayUp({ deployment, repository, output }: Stay): Promise<never> {
  const { backend, people } = deployment;
  output.say(
    [
      "",
      `Everything stays up at ${backend.url} until Ctrl-C. Submit another job from the checkout with:`,
      "",
      `  export CONVEX_SELF_HOSTED_URL=${backend.url}`,
      `  export CONVEX_SELF_HOSTED_ADMIN_KEY="$(cat ${quoted(backend.adminKeyFile)})"`,
      `  npx convex run admin:submitJob ${quoted(JSON.stringify({ repository, prompt: "Say what this repository is." }))}`,
      "",
    ].join("\n"),
  );
  const known = new Map<string, string>();
  return new Promise((_, reject) => {
    people.watchJobs(JOBS_WATCHED, {
      onValue: (jobs) => {
        const isFirst = known.size === 0;
        for (const { jobId, state } of [...jobs].reverse()) {
          if (!isFirst && known.get(jobId) !== state.kind)
            output.say(`job ${jobId}: ${state.kind}`);
          known.set(jobId, state.kind);
        }
      },
      onError: reject,
    });
  });
}

/** One line for each job. */
export function describeJobs(jobs: readonly JobView[]): string {
  return jobs
    .map(({ jobId, state, spec, submittedAt }) => {
      const { repository } = spec;
      const where =
        repository.kind === "local" ? repository.path : `${repository.owner}/${repository.name}`;
      return `  ${jobId}  ${new Date(submittedAt).toISOString()}  ${state.kind.padEnd(9)}  ${where}`;
    })
    .join("\n");
}

/** Safe as one word in a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
