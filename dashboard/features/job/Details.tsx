import type { ReactNode } from "react";
import type { AttemptView, JobDetail } from "../../../convex/protocol/view.js";
import { formatActor, formatDuration, formatExact, repositoryKey } from "../../lib/format.js";
import { CopyButton } from "../../ui/CopyButton.js";
import { Facts, Panel } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { Nothing } from "../../ui/Time.js";
import { usePrompt } from "./job.js";

/** What was asked for, word by word, and what the backend keeps of it. */
export function Details({ job }: { job: JobDetail }): ReactNode {
  return (
    <div className="grid gap-3 lg:grid-cols-2">
      <div className="flex min-w-0 flex-col gap-3 lg:col-span-2">
        <Prompt job={job} />
      </div>
      <Panel title="Submission">
        <Facts rows={submissionOf(job)} />
      </Panel>
      <Panel title="Latest attempt">
        {job.latest === null ? (
          <p className="m-0 text-muted">None so far.</p>
        ) : (
          <Facts rows={attemptOf(job.latest)} />
        )}
      </Panel>
      <div className="min-w-0 lg:col-span-2">
        <Raw job={job} />
      </div>
    </div>
  );
}

const BOX =
  "m-0 max-h-96 overflow-auto font-mono text-[13px] break-words whitespace-pre-wrap outline-offset-4";

function Prompt({ job }: { job: JobDetail }): ReactNode {
  const prompt = usePrompt(job.jobId);
  return (
    <Panel
      title="Prompt"
      actions={prompt !== undefined && <CopyButton text={prompt} name="Copy the prompt" />}
    >
      {prompt === undefined ? (
        <Loading what="the prompt" rows={2} />
      ) : (
        <pre tabIndex={0} role="region" aria-label="Text of the prompt" className={BOX}>
          {prompt}
        </pre>
      )}
    </Panel>
  );
}

type Rows = [string, ReactNode][];

function submissionOf(job: JobDetail): Rows {
  const { spec, labels, concurrencyKey, priority, attemptsMax, submittedAt, submittedBy } = job;
  const { limits, artifacts = [], approval } = spec;
  return [
    ["Id", <Code key="id" text={job.jobId} />],
    ["Submitted", `${formatExact(submittedAt)} by ${formatActor(submittedBy)}`],
    ["Repository", <Code key="r" text={repositoryKey(spec.repository)} />],
    ["Ref", <Code key="ref" text={spec.ref} />],
    ["Priority", `${priority} (0 is the most urgent)`],
    ["Attempts", `at most ${attemptsMax}`],
    ["Time", limits.timeoutMs === undefined ? "the default" : formatDuration(limits.timeoutMs)],
    ["Turns", limits.maxTurns === undefined ? "no limit" : String(limits.maxTurns)],
    ["Budget", limits.maxBudgetUsd === undefined ? "no limit" : `$${limits.maxBudgetUsd}`],
    ["Labels", labels.length === 0 ? <Nothing key="l" /> : labels.join(", ")],
    ["Concurrency key", concurrencyKey ?? <Nothing key="k" />],
    ["Artifacts", artifacts.length === 0 ? <Nothing key="a" /> : artifacts.join(", ")],
    ...(approval === undefined
      ? []
      : ([["Calls that wait for a person", approval.tools.join(", ")]] satisfies Rows)),
    ...(job.origin === undefined ? [] : ([["Submitted through", job.origin]] satisfies Rows)),
  ];
}

function attemptOf(latest: AttemptView): Rows {
  const { report, sessionId, token, commit, startedAt } = latest;
  const exit = report?.signal ?? report?.exitCode;
  return [
    ["Number", String(latest.attempt)],
    ["Fencing token", String(token)],
    ["Claude's session", <Code key="s" text={sessionId} />],
    ["Commit", commit === undefined ? <Nothing key="c" /> : <Code key="c" text={commit} />],
    ["Started", startedAt === undefined ? <Nothing key="at" /> : formatExact(startedAt)],
    ["Exit", exit === undefined ? <Nothing key="e" /> : String(exit)],
    ["Refused permissions", report === undefined ? <Nothing key="p" /> : report.permissionDenials],
  ];
}

function Code({ text }: { text: string }): ReactNode {
  return (
    <span className="flex items-start gap-1">
      <span className="min-w-0 font-mono text-[13px] break-all">{text}</span>
      <CopyButton text={text} name={`Copy ${text}`} />
    </span>
  );
}

/** The job as the backend hands it out, for those who want everything. */
function Raw({ job }: { job: JobDetail }): ReactNode {
  const text = JSON.stringify(job, null, 2);
  return (
    <Panel title="As JSON" actions={<CopyButton text={text} name="Copy the JSON" />}>
      <pre tabIndex={0} role="region" aria-label="The job as JSON" className={BOX}>
        {text}
      </pre>
    </Panel>
  );
}
