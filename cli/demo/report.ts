/** What a job came to: one object for programs, a few lines for people. Pure. */
import type { Tokens } from "../../convex/protocol/job.js";
import type { AttemptView, JobDetail } from "../../convex/protocol/view.js";

/** Exactly what --json prints. Times are milliseconds; null means that it did not happen. */
export type Report = {
  jobId: string;
  state: string;
  reason: string | null;
  attempts: number;
  /** The commit that was checked out. */
  commit: string | null;
  result: string | null;
  /** Of all attempts together, as the CLI computed it from list prices. */
  costUsd: number;
  tokens: Tokens;
  ms: {
    deploy: number;
    submitToAssigned: number | null;
    assignedToCliStarted: number | null;
    total: number;
  };
};

export type ReportInput = {
  job: JobDetail;
  attempts: readonly AttemptView[];
  ms: { deploy: number; total: number };
};

/** Money and tokens are summed over the attempts; times are those of the first and the last one. */
export function makeReport({ job, attempts, ms }: ReportInput): Report {
  const { state, latest } = job;
  const first = attempts.find((a) => a.attempt === 1);
  const spawnedAt = latest?.spawnedAt;
  return {
    jobId: job.jobId,
    state: state.kind,
    reason: state.kind === "failed" ? state.reason : null,
    attempts: job.attempt,
    commit: latest?.report?.commit ?? latest?.commit ?? null,
    result: latest?.report?.result ?? null,
    costUsd: attempts.reduce((sum, a) => sum + (a.report?.costUsd ?? 0), 0),
    tokens: attempts.reduce((sum, a) => addTokens(sum, a.report?.tokens), NO_TOKENS),
    ms: {
      deploy: ms.deploy,
      // A job that a free slot waits for is assigned at its submission: its row is stamped a moment later.
      submitToAssigned:
        first === undefined ? null : Math.max(0, Math.round(first.assignedAt - job.submittedAt)),
      assignedToCliStarted:
        latest === null || spawnedAt === undefined
          ? null
          : Math.round(spawnedAt - latest.assignedAt),
      total: ms.total,
    },
  };
}

const NO_TOKENS: Tokens = { input: 0, output: 0, cacheRead: 0, cacheCreation: 0 };

function addTokens(sum: Tokens, more: Tokens = NO_TOKENS): Tokens {
  return {
    input: sum.input + more.input,
    output: sum.output + more.output,
    cacheRead: sum.cacheRead + more.cacheRead,
    cacheCreation: sum.cacheCreation + more.cacheCreation,
  };
}

/** Lines of the patch that the summary shows. */
const PATCH_LINES_MAX = 40;

/** The same for people, with the changes and how long each phase took. */
export function describeReport(
  report: Report,
  { job: { latest }, isLive }: { job: Pick<JobDetail, "latest">; isLive: boolean },
): string {
  const { tokens, ms } = report;
  const count = (n: number): string => n.toLocaleString("en-US");
  const rows: [string, string | null | undefined][] = [
    ["result", report.result],
    ["message", report.state === "succeeded" ? null : latest?.end?.message],
    ["commit", report.commit],
    ["changes", describeChanges(latest)],
    [
      "cost",
      `$${report.costUsd.toFixed(4)} by list price${isLive ? "" : " (scripted: nothing was spent)"}`,
    ],
    [
      "tokens",
      `${count(tokens.input)} in, ${count(tokens.output)} out, ${count(tokens.cacheRead)} read from cache`,
    ],
    ["phases", describePhases(latest)],
    [
      "times",
      [
        `deploy ${inSeconds(ms.deploy)}`,
        `submit to assigned ${inMs(ms.submitToAssigned)}`,
        `assigned to CLI started ${inMs(ms.assignedToCliStarted)}`,
        `total ${inSeconds(ms.total)}`,
      ].join(", "),
    ],
  ];
  const why = report.reason === null ? "" : ` (${report.reason})`;
  const tries = `${String(report.attempts)} attempt${report.attempts === 1 ? "" : "s"}`;
  return [
    `job ${report.jobId} ${report.state}${why} after ${tries}`,
    ...rows.flatMap(([name, value]) => (value ? [`  ${name.padEnd(8)} ${value}`] : [])),
    ...patchLines(latest),
  ].join("\n");
}

function describeChanges(latest: AttemptView | null): string | undefined {
  const changes = latest?.report?.changes;
  if (changes === undefined) return undefined;
  const files = `${String(changes.files)} file${changes.files === 1 ? "" : "s"}`;
  return `${files}, +${String(changes.insertions)} -${String(changes.deletions)}`;
}

// A phase lasts until the next one begins; the last one until the attempt ended.
function describePhases(latest: AttemptView | null): string | undefined {
  if (latest === null || latest.phases.length === 0) return undefined;
  return latest.phases
    .map(({ phase, at }, i) => {
      const until = latest.phases[i + 1]?.at ?? latest.end?.at;
      return until === undefined ? phase : `${phase} ${inSeconds(until - at)}`;
    })
    .join(", ");
}

function patchLines(latest: AttemptView | null): string[] {
  const patch = latest?.report?.changes?.patch.trimEnd() ?? "";
  if (patch === "") return [];
  const lines = patch.split("\n");
  const more = lines.length - PATCH_LINES_MAX;
  return [
    "",
    ...lines.slice(0, PATCH_LINES_MAX).map((line) => `  ${line}`),
    ...(more > 0 ? [`  … ${String(more)} more lines`] : []),
  ];
}

const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
const inMs = (ms: number | null): string =>
  ms === null ? "never" : `${String(Math.round(ms))} ms`;
