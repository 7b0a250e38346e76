import { Link } from "@tanstack/react-router";
import { CircleDollarSign, CircleStop, HeartPulse, Hourglass, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { WaitingView } from "../../../convex/protocol/queue.js";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { formatDuration, formatElapsed, formatId, plural } from "../../lib/format.js";
import { Banner } from "../../ui/Banner.js";
import { Time } from "../../ui/Time.js";
import { useExecutorNames, useLease, useWaiting } from "./job.js";
import { useRemaining } from "./lease.js";
import { isAsking } from "./questions.js";

/** What matters to the whole page now: why it waits, that it is being canceled, that its executor is silent. */
export function Banners({ job }: { job: JobDetail }): ReactNode {
  return (
    <div aria-live="polite" className="mb-4 flex flex-col gap-2 empty:hidden">
      {job.state.kind === "running" && job.cancelRequested && (
        <Banner tone="warn" icon={<CircleStop size={17} aria-hidden />}>
          Canceling: the executor has been asked to stop Claude.
        </Banner>
      )}
      <Spent job={job} />
      <Waiting job={job} />
      <Lease job={job} />
    </div>
  );
}

function Waiting({ job }: { job: JobDetail }): ReactNode {
  const waiting = useWaiting(job);
  // What it asks is on a card of its own.
  if (waiting === undefined || isAsking(job)) return null;
  const isStarved = waiting.rule === "executor";
  return (
    <Banner
      tone={isStarved ? "bad" : "held"}
      icon={
        isStarved ? (
          <TriangleAlert size={17} aria-hidden className="shrink-0" />
        ) : (
          <Hourglass size={17} aria-hidden className="shrink-0" />
        )
      }
    >
      <strong className="font-semibold">{waiting.message}</strong>{" "}
      {isStarved && (
        <>
          Start one on any machine that reaches this deployment:{" "}
          <code className="font-mono text-[13px]">node dist/executor.mjs</code> with CONVEX_URL and,
          the first time, FONDATION_ENROL_TOKEN.
        </>
      )}
      {waiting.rule === "budget" && (
        <Link to="/settings" search={{ tab: "budgets" }} className="text-inherit underline">
          Budgets
        </Link>
      )}
      <Outlook waiting={waiting} />
    </Banner>
  );
}

/** A line of spending that the run has crossed, while it is being stopped for that. */
function Spent({ job: { state, latest } }: { job: JobDetail }): ReactNode {
  if (state.kind !== "running" || latest?.stop === undefined) return null;
  return (
    <Banner tone="warn" icon={<CircleDollarSign size={17} aria-hidden className="shrink-0" />}>
      {latest.stop === "maxBudget"
        ? "It has spent what this job may cost: its executor is stopping it."
        : "It has spent what a budget had room for: its executor is stopping it, and it goes on when there is room."}
    </Banner>
  );
}

/** Until when, at which place, and how long it may take. */
function Outlook({ waiting }: { waiting: WaitingView }): ReactNode {
  const { until, ahead, aheadIsMore, estimatedWaitMs, estimateNote, blockedBy } = waiting;
  return (
    <span className="flex flex-wrap gap-x-3">
      {until !== null && (
        <span>
          Until <Time at={until} />.
        </span>
      )}
      {ahead !== null && (
        <span>
          {ahead === 0
            ? "It is the next in line."
            : `${aheadIsMore ? "More than " : ""}${plural(ahead, "job")} ahead of it.`}
        </span>
      )}
      {estimatedWaitMs !== null && (
        <span title={estimateNote}>
          Starts in about {formatDuration(estimatedWaitMs)}, at a guess.
        </span>
      )}
      {blockedBy.length > 0 && (
        <span>
          In its way:{" "}
          {blockedBy.map((jobId) => (
            <Link
              key={jobId}
              to="/jobs/$jobId"
              params={{ jobId }}
              className="mr-2 font-mono text-[13px] text-inherit underline"
            >
              {formatId(jobId)}
            </Link>
          ))}
        </span>
      )}
    </span>
  );
}

/** Shown when a heartbeat is overdue: until then the executor is taken at its word. */
function Lease({ job }: { job: JobDetail }): ReactNode {
  const lease = useLease(job);
  const names = useExecutorNames();
  const leftMs = useRemaining(lease ?? null);
  const { state } = job;
  if (lease === undefined || lease === null || leftMs === null) return null;
  if (state.kind !== "running" && state.kind !== "assigned") return null;
  if (leftMs > lease.leaseMs / 2) return null;
  const name = names(state.executorId);
  return (
    <Banner tone="warn" icon={<HeartPulse size={17} aria-hidden className="shrink-0" />}>
      <strong className="font-semibold">
        {leftMs > 0
          ? `No word from ${name}: its lease runs out in ${formatElapsed(leftMs)}.`
          : `The lease of ${name} has run out: the queue takes the job back.`}
      </strong>{" "}
      Then another executor goes on, from the last checkpoint where there is one.
    </Banner>
  );
}
