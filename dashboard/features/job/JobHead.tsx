import { Link } from "@tanstack/react-router";
import { Ban, GitBranch, GitCommitHorizontal, PencilLine, RotateCcw } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { formatActor, formatId, formatRepository, formatWord } from "../../lib/format.js";
import { isTerminal, JOB_LOOK } from "../../lib/stateLook.js";
import { useUnable } from "../../session/me.js";
import { StateBadge } from "../../ui/Badge.js";
import { Button, buttonLook } from "../../ui/Button.js";
import { CopyButton } from "../../ui/CopyButton.js";
import { ConfirmDialog } from "../../ui/Dialog.js";
import { PageHead } from "../../ui/Page.js";
import { Elapsed, Time } from "../../ui/Time.js";
import { useJobActions, whyNot, type Action } from "./actions.js";
import { FollowUp } from "./FollowUp.js";
import { JobMenu } from "./JobMenu.js";

const COMMIT_CHARS = 10;
/** How the origin of a follow-up begins; the id of the job before it follows. */
const FOLLOWS = "job:";

/** What the job is, how it stands, and what one may do about it. */
export function JobHead({ job }: { job: JobDetail }): ReactNode {
  const { jobId, state, spec } = job;
  const title = job.title === "" ? `Job ${formatId(jobId)}` : job.title;
  const { word } = JOB_LOOK[state.kind];
  return (
    <PageHead
      title={<span className="break-words">{title}</span>}
      tabTitle={`${word} · ${title} · ${formatRepository(spec.repository)}`}
      actions={<Actions job={job} />}
    >
      <div className="flex flex-wrap items-center gap-x-3.5 gap-y-1.5">
        <StateBadge state={state.kind} note={noteOf(job)} />
        <Source job={job} />
        {job.attempt > 0 && (
          <span className="whitespace-nowrap">
            attempt {job.attempt} of {job.attemptsMax}
          </span>
        )}
        <span className="whitespace-nowrap">
          by {formatActor(job.submittedBy)}, <Time past at={job.submittedAt} />
        </span>
        <Earlier job={job} />
        {state.kind === "running" && (
          <span className="whitespace-nowrap">
            running for <Elapsed from={state.startedAt} />
          </span>
        )}
      </div>
    </PageHead>
  );
}

/** The job whose session this one goes on with. */
function Earlier({ job: { origin } }: { job: JobDetail }): ReactNode {
  if (origin?.startsWith(FOLLOWS) !== true) return null;
  const jobId = origin.slice(FOLLOWS.length);
  return (
    <span className="whitespace-nowrap">
      follows up{" "}
      <Link to="/jobs/$jobId" params={{ jobId }} className="font-mono text-[13px] text-accent">
        {formatId(jobId)}
      </Link>
    </span>
  );
}

/** Repository, branch and commit: text of others, shown as text. */
function Source({ job: { spec, commit } }: { job: JobDetail }): ReactNode {
  return (
    <span className="flex min-w-0 flex-wrap items-center gap-x-2 text-text">
      <span className="min-w-0 font-medium break-all">{formatRepository(spec.repository)}</span>
      <span className="flex min-w-0 items-center gap-1 text-muted">
        <GitBranch size={14} aria-hidden className="shrink-0" />
        <span className="sr-only">Branch </span>
        <span className="min-w-0 break-all">{spec.ref === "HEAD" ? "default" : spec.ref}</span>
      </span>
      {commit !== undefined && (
        <span className="flex items-center gap-0.5 font-mono text-[13px] text-muted">
          <GitCommitHorizontal size={14} aria-hidden />
          <span title={commit}>{commit.slice(0, COMMIT_CHARS)}</span>
          <CopyButton text={commit} name="Copy the commit" />
        </span>
      )}
    </span>
  );
}

function noteOf({ state, cancelRequested }: JobDetail): string | undefined {
  switch (state.kind) {
    case "running":
      if (cancelRequested) return "canceling";
      return state.phase === "running" ? undefined : state.phase;
    case "waiting":
      if (state.reason === "answer") return "asks you";
      return state.reason === "approval" ? "held" : state.reason;
    case "backoff":
    case "failed":
      return formatWord(state.reason);
    case "pending":
    case "assigned":
    case "succeeded":
    case "canceled":
      return undefined;
  }
}

function Actions({ job }: { job: JobDetail }): ReactNode {
  const { act, busy } = useJobActions(job.jobId);
  const [isAsking, setAsking] = useState(false);
  const may = useUnable("operator");
  const unable = (action: Action): string | undefined =>
    may ?? whyNot(action, job) ?? (busy === null ? undefined : "It is being done.");
  return (
    <>
      {!isTerminal(job.state.kind) && (
        <Button
          kind="danger"
          icon={<Ban size={15} aria-hidden />}
          unable={unable("cancel")}
          onClick={() => {
            setAsking(true);
          }}
        >
          Cancel
        </Button>
      )}
      <Button
        icon={<RotateCcw size={15} aria-hidden />}
        unable={unable("retry")}
        onClick={() => void act("retry")}
      >
        Retry
      </Button>
      {isTerminal(job.state.kind) && <FollowUp job={job} />}
      <Rerun job={job} unable={may} />
      <JobMenu job={job} unable={unable} onAct={(action) => void act(action)} />
      <ConfirmDialog
        title="Cancel this job?"
        action="Cancel the job"
        open={isAsking}
        onClose={() => {
          setAsking(false);
        }}
        onConfirm={() => {
          // Not waited for: the page shows it at once, and a toast tells what became of it.
          void act("cancel");
          return Promise.resolve();
        }}
      >
        {job.state.kind === "running"
          ? "Claude is stopped. What it said and did so far stays in the log; its changes to the clone are lost. A canceled job can be retried."
          : "It will not run. A canceled job can be retried."}
      </ConfirmDialog>
    </>
  );
}

function Rerun({ job, unable }: { job: JobDetail; unable: string | undefined }): ReactNode {
  const icon = <PencilLine size={15} aria-hidden />;
  if (unable !== undefined) {
    return (
      <Button icon={icon} unable={unable}>
        Rerun with edits
      </Button>
    );
  }
  return (
    <Link to="/jobs/new" search={{ from: job.jobId }} className={buttonLook()}>
      {icon}
      Rerun with edits
    </Link>
  );
}
