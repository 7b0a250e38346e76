import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { AttemptView, JobDetail } from "../../../convex/protocol/view.js";
import { formatWord } from "../../lib/format.js";
import type { Tone } from "../../lib/stateLook.js";
import { Badge } from "../../ui/Badge.js";
import { Money } from "../../ui/Figures.js";
import { EmptyState, Loading } from "../../ui/States.js";
import { Table, Td, Th } from "../../ui/Table.js";
import { Elapsed, Nothing, Time } from "../../ui/Time.js";
import { Overshoot } from "./Overshoot.js";
import { useAttempts, useExecutorNames } from "./job.js";

const TONES: Record<NonNullable<AttemptView["end"]>["kind"], Tone> = {
  succeeded: "good",
  failed: "bad",
  canceled: "calm",
  interrupted: "warn",
  expired: "warn",
};

/** Every try at the job: who, how long, what became of it, what it cost. */
export function Attempts({ job }: { job: JobDetail }): ReactNode {
  const attempts = useAttempts(job.jobId);
  const names = useExecutorNames();
  if (attempts === undefined) return <Loading what="the attempts" />;
  if (attempts.length === 0) {
    return (
      <EmptyState title="No attempt yet">
        As soon as an executor takes the job, its attempt is here.
      </EmptyState>
    );
  }
  return (
    <>
      <Table name="Attempts">
        <thead>
          <tr>
            <Th end>No.</Th>
            <Th>Outcome</Th>
            <Th>Executor</Th>
            <Th end>Given out</Th>
            <Th end>Ran</Th>
            <Th end>Cost</Th>
            <Th>Log</Th>
          </tr>
        </thead>
        <tbody>
          {attempts.map((attempt) => (
            <Row
              key={attempt.attempt}
              jobId={job.jobId}
              attempt={attempt}
              name={names(attempt.executorId)}
            />
          ))}
        </tbody>
      </Table>
      <p className="mt-2 text-muted">
        All of them:{" "}
        <Money
          usd={job.spent?.costUsd ?? attempts.reduce((sum, one) => sum + (costOf(one) ?? 0), 0)}
        />
        . {job.charged} of {job.attemptsMax} count against the job; {job.interruptions} ended
        without its fault.
      </p>
    </>
  );
}

type RowProps = { jobId: JobDetail["jobId"]; attempt: AttemptView; name: string };

function Row({ jobId, attempt, name }: RowProps): ReactNode {
  return (
    <tr>
      <Td end>{attempt.attempt}</Td>
      <Td className="min-w-56">
        <Outcome attempt={attempt} />
      </Td>
      <Td className="whitespace-nowrap">{name}</Td>
      <Td end>
        <Time past at={attempt.assignedAt} />
      </Td>
      <Td end>
        {attempt.startedAt === undefined ? (
          <Nothing />
        ) : (
          <Elapsed from={attempt.startedAt} to={attempt.end?.at} />
        )}
      </Td>
      <Td end>
        <Money usd={costOf(attempt)} />
        <Overshoot spend={attempt.spend} />
      </Td>
      <Td>
        <Link
          to="/jobs/$jobId"
          params={{ jobId }}
          search={{ tab: "log", attempt: attempt.attempt }}
          className="text-accent underline"
          aria-label={`Log of attempt ${attempt.attempt}`}
        >
          Log
        </Link>
      </Td>
    </tr>
  );
}

/** By its report, else by the meter of one that is bounded. */
function costOf({ report, spend }: AttemptView): number | undefined {
  return report?.costUsd ?? spend?.costUsd;
}

function Outcome({ attempt: { end, resumption } }: { attempt: AttemptView }): ReactNode {
  return (
    <>
      {end === undefined ? (
        <Badge tone="live">under way</Badge>
      ) : (
        <Badge tone={TONES[end.kind]}>
          {end.kind}
          {end.reason !== undefined && ` · ${formatWord(end.reason)}`}
        </Badge>
      )}
      {resumption !== undefined && (
        <span className="ml-2 text-[13px] text-muted">
          {resumption.resumed ? "went on from a checkpoint" : "started over"}
        </span>
      )}
      {end?.message !== undefined && (
        <span className="block text-[13px] break-words text-muted">{end.message}</span>
      )}
    </>
  );
}
