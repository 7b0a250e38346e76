/** Jobs as text for people. */
import type { JobDetail, JobView } from "../convex/protocol/view.js";
import { printable } from "./output.js";
import { relative, stateText, table } from "./table.js";

/** Where a job's code comes from, as it is typed. */
function repositoryText({ repository }: JobView["spec"]): string {
  if (repository.kind === "local") return repository.path;
  const { host, owner, name } = repository;
  return host === "github.com" ? `${owner}/${name}` : `${host}/${owner}/${name}`;
}

/** A list of jobs in columns. */
export function jobTable(jobs: readonly JobView[], now: number): string {
  const head = ["ID", "STATE", "SUBMITTED", "BY", "ATTEMPT", "REPOSITORY"];
  const rows = jobs.map(
    ({ jobId, state, submittedAt, submittedBy, attempt, attemptsMax, spec }) => [
      jobId,
      state.kind,
      relative(submittedAt, now),
      submittedBy,
      `${String(attempt)}/${String(attemptsMax)}`,
      repositoryText(spec),
    ],
  );
  return table(head, rows);
}

/** One job in full, as far as people ask for it: what it is, how it stands, what came of it. */
export function describeJob(job: JobDetail): string {
  const { jobId, state, spec, submittedAt, submittedBy, attempt, attemptsMax, latest } = job;
  const lines = [
    ["job", jobId],
    ["state", `${stateText(state.kind)}${why(state)}`],
    ["repository", `${repositoryText(spec)} at ${spec.ref}`],
    ["submitted", `${new Date(submittedAt).toISOString()} by ${submittedBy}`],
    ["attempt", `${String(attempt)} of ${String(attemptsMax)}`],
  ];
  const { report, end } = latest ?? {};
  if (report !== undefined) {
    lines.push(["cost", `$${report.costUsd.toFixed(4)} in ${String(report.turns)} turns`]);
  }
  if (end?.message !== undefined) lines.push(["message", end.message]);
  const fields = lines.map(([name, text]) => `${`${name ?? ""}:`.padEnd(12)}${text ?? ""}`);
  const result = report?.result === undefined ? [] : ["", printable(report.result)];
  return [...fields, ...result].join("\n");
}

function why(state: JobDetail["state"]): string {
  if ("reason" in state) return ` (${state.reason})`;
  return state.kind === "running" ? ` (${state.phase})` : "";
}
