import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { JobView } from "../../../convex/protocol/view.js";
import { formatId, formatRepository, formatWord } from "../../lib/format.js";
import { StateBadge } from "../../ui/Badge.js";
import { Panel } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { Elapsed, Time } from "../../ui/Time.js";
import { useLatestJobs } from "./overview.js";

const TITLES = { running: "Running now", failed: "Failed last" } as const;
const NONE = { running: "No job runs.", failed: "No job has failed." } as const;

/** The newest jobs that run, or that failed, each with what one wants to know of it. */
export function LatestJobs({ kind }: { kind: keyof typeof TITLES }): ReactNode {
  const jobs = useLatestJobs()[kind];
  return (
    <Panel
      title={TITLES[kind]}
      className="min-w-0"
      actions={
        <Link to="/jobs" search={{ state: kind }} className="text-[13px] text-accent">
          All {kind} jobs
        </Link>
      }
    >
      {jobs === undefined ? (
        <Loading what={`${kind} jobs`} rows={3} />
      ) : jobs.length === 0 ? (
        <p className="m-0 text-muted">{NONE[kind]}</p>
      ) : (
        <ul className="m-0 flex list-none flex-col gap-3 p-0">
          {jobs.map((job) => (
            <Row key={job.jobId} job={job} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Row({ job }: { job: JobView }): ReactNode {
  const { jobId, title, spec, state } = job;
  return (
    <li className="flex min-w-0 flex-col gap-0.5">
      <span className="flex min-w-0 items-center gap-2">
        <Link
          to="/jobs/$jobId"
          params={{ jobId }}
          className="min-w-0 truncate font-medium text-text no-underline hover:underline"
        >
          {title === "" ? formatId(jobId) : title}
        </Link>
      </span>
      <span className="flex flex-wrap items-center gap-x-3 text-[13px] text-muted">
        <StateBadge state={state.kind} note={noteOf(job)} />
        {formatRepository(spec.repository)}
        {state.kind === "running" && <Elapsed from={state.startedAt} />}
        {state.kind === "failed" && <Time at={state.endedAt} />}
      </span>
    </li>
  );
}

function noteOf({ state }: JobView): string | undefined {
  if (state.kind === "running") return state.phase === "running" ? undefined : state.phase;
  return state.kind === "failed" ? formatWord(state.reason) : undefined;
}
