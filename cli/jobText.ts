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
  const { report, end, spend } = latest ?? {};
  const cost = job.spent ?? report;
  if (cost !== undefined) lines.push(["cost", costText(cost, attempt)]);
  if (spend !== undefined) lines.push(...overshootLines(spend));
  if (report !== undefined) lines.push(...reportLines(report));
  if (end?.message !== undefined) lines.push(["message", end.message]);
  const fields = lines.map(([name, text]) => `${`${name ?? ""}:`.padEnd(12)}${text ?? ""}`);
  const texts = [report?.result, report?.structuredOutput];
  const result = texts.flatMap((text) => (text === undefined ? [] : ["", printable(text)]));
  return [...fields, ...result].join("\n");
}

type Attempt = NonNullable<JobDetail["latest"]>;

function overshootLines({ overshootUsd = 0, lineUsd }: NonNullable<Attempt["spend"]>): string[][] {
  if (overshootUsd === 0) return [];
  const line = lineUsd === undefined ? "" : ` beyond its line of $${lineUsd.toFixed(4)}`;
  return [["overshoot", `$${overshootUsd.toFixed(4)}${line}`]];
}

function reportLines({ turns, denied = [], deferred }: NonNullable<Attempt["report"]>): string[][] {
  return [
    ["turns", String(turns)],
    ...denied.map((call) => ["denied", printable(call)]),
    ...(deferred === undefined ? [] : [["put off", printable(deferred)]]),
  ];
}

/** What all attempts cost together. */
function costText({ costUsd, tokens }: NonNullable<JobDetail["spent"]>, attempts: number): string {
  const { input, output, cacheRead, cacheCreation } = tokens;
  const all = (input + output + cacheRead + cacheCreation).toLocaleString("en-US");
  const over = attempts > 1 ? ` over ${String(attempts)} attempts` : "";
  return `$${costUsd.toFixed(4)}, ${all} tokens${over}`;
}

function why(state: JobDetail["state"]): string {
  if ("reason" in state) return ` (${state.reason})`;
  return state.kind === "running" ? ` (${state.phase})` : "";
}
