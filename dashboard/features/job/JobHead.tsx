import { Link } from "@tanstack/react-router";
import { Ban, Ellipsis, GitBranch, GitCommitHorizontal, PencilLine, RotateCcw } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { formatActor, formatId, formatRepository, formatWord } from "../../lib/format.js";
import { copyText } from "../../lib/clipboard.js";
import { isTerminal, JOB_LOOK } from "../../lib/stateLook.js";
import { useUnable } from "../../session/me.js";
import { StateBadge } from "../../ui/Badge.js";
import { Button, buttonLook, IconButton } from "../../ui/Button.js";
import { CopyButton } from "../../ui/CopyButton.js";
import { ConfirmDialog } from "../../ui/Dialog.js";
import { Menu } from "../../ui/Menu.js";
import { PageHead } from "../../ui/Page.js";
import { Elapsed, Time } from "../../ui/Time.js";
import { tellDone, tellFailed } from "../../ui/toast.js";
import { useJobActions, whyNot, type Action } from "./actions.js";

const COMMIT_CHARS = 10;

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
        {state.kind === "running" && (
          <span className="whitespace-nowrap">
            running for <Elapsed from={state.startedAt} />
          </span>
        )}
      </div>
    </PageHead>
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
      <Rerun job={job} unable={may} />
      <More job={job} unable={unable} onAct={(action) => void act(action)} />
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

type MoreProps = {
  job: JobDetail;
  unable: (action: Action) => string | undefined;
  onAct: (action: Action) => void;
};

function More({ job, unable, onAct }: MoreProps): ReactNode {
  const copy = async (what: string, text: string): Promise<void> => {
    if (await copyText(text)) tellDone(`${what} copied`);
    else tellFailed("Not copied", "The browser refused; select the text and copy it by hand.");
  };
  const entry = (title: string, action: Action) => ({
    title,
    unable: unable(action),
    onChoose: () => {
      onAct(action);
    },
  });
  return (
    <Menu
      trigger={<IconButton name="More actions" icon={<Ellipsis size={17} aria-hidden />} />}
      entries={[
        entry("Hold", "hold"),
        entry("Release", "release"),
        entry("Send back to the queue", "requeue"),
        { title: "Copy the link", onChoose: () => void copy("Link", location.href) },
        { title: "Copy the id", onChoose: () => void copy("Id", job.jobId) },
      ]}
    />
  );
}
