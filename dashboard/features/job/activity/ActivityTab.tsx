import { Link } from "@tanstack/react-router";
import { useMemo, useState, type ReactNode } from "react";
import type { AttemptView, JobDetail } from "../../../../convex/protocol/view.js";
import { formatShare, formatWord, plural } from "../../../lib/format.js";
import { Button } from "../../../ui/Button.js";
import { Banner } from "../../../ui/Banner.js";
import { EmptyState, ErrorState, Loading } from "../../../ui/States.js";
import { Money } from "../../../ui/Figures.js";
import { Duration } from "../../../ui/Time.js";
import { useAttempt } from "../job.js";
import { Say } from "../Say.js";
import { useLog } from "../log/log.js";
import type { LogState } from "../log/source.js";
import { BlockView } from "./BlockView.js";
import { conversationOf } from "./conversation.js";
import { useStayAtEnd } from "./stayAtEnd.js";

/** Blocks that are shown at first, the latest ones; earlier ones are asked for. */
const SHOWN = 150;

type ActivityProps = { job: JobDetail; attempt: number };

/** What happened in an attempt, as a conversation, and what people say to it. */
export function ActivityTab({ job, attempt }: ActivityProps): ReactNode {
  return (
    <>
      <Activity job={job} attempt={attempt} />
      <Say job={job} />
    </>
  );
}

function Activity({ job, attempt }: ActivityProps): ReactNode {
  const log = useLog(job.jobId, attempt);
  const view = useAttempt(job, attempt);
  if (log.problem !== null) {
    return (
      <ErrorState
        error={log.problem}
        what="activity"
        actions={<Button onClick={log.retry}>Again</Button>}
      />
    );
  }
  if (log.model.entries.length === 0) {
    if (!log.isWhole || view === undefined) return <Loading what="the activity" rows={6} />;
    return <Empty attempt={view} />;
  }
  return (
    <>
      <h2 className="sr-only">Activity</h2>
      <Conversation log={log} isLive={view?.end === undefined} />
      {view?.end !== undefined && <End job={job} attempt={view} />}
    </>
  );
}

function Empty({ attempt }: { attempt: AttemptView | null }): ReactNode {
  return attempt?.end === undefined ? (
    <EmptyState title="Nothing has happened yet">
      As soon as an executor has the job, what Claude says and does appears here.
    </EmptyState>
  ) : (
    <EmptyState title="There is no log of this attempt">
      It ended before a line was written, or its log was deleted with age.
    </EmptyState>
  );
}

function Conversation({ log, isLive }: { log: LogState; isLive: boolean }): ReactNode {
  const [extra, setExtra] = useState(0);
  const { model, version } = log;
  // The model is always the same one: its version says that it has grown.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const blocks = useMemo(() => conversationOf(model.entries), [model, version]);
  useStayAtEnd(isLive ? blocks.length : 0);
  const hidden = Math.max(0, blocks.length - SHOWN - extra);
  return (
    <div className="mx-auto max-w-4xl">
      {!log.isWhole && (
        <p role="status" className="m-0 mb-3 text-center text-muted">
          Loading what came before, {formatShare(log.share)}
        </p>
      )}
      {log.isWhole && hidden > 0 && (
        <div className="mb-3 text-center">
          <Button
            size="small"
            onClick={() => {
              setExtra(extra + SHOWN);
            }}
          >
            Show earlier: {plural(hidden, "more step")}
          </Button>
        </div>
      )}
      <ol aria-label="Conversation" className="m-0 flex list-none flex-col gap-3 p-0">
        {blocks.slice(hidden).map((block) => (
          <li key={block.key} className="min-w-0">
            <BlockView block={block} isLive={isLive} />
          </li>
        ))}
      </ol>
      {isLive && (
        <p className="m-0 mt-3 flex items-center gap-2 text-muted">
          <span aria-hidden className="size-2 animate-pulse rounded-full bg-live" />
          It goes on.
        </p>
      )}
    </div>
  );
}

/** How the attempt ended, where the conversation stops. */
function End({ job, attempt }: { job: JobDetail; attempt: AttemptView }): ReactNode {
  const { end, report, startedAt } = attempt;
  if (end === undefined) return null;
  const hasSucceeded = end.kind === "succeeded";
  return (
    <div className="mx-auto mt-4 max-w-4xl">
      <Banner tone={hasSucceeded ? "good" : end.kind === "failed" ? "bad" : "warn"}>
        <strong className="font-semibold">
          {hasSucceeded ? "It succeeded" : `It ended ${end.kind}`}
          {end.reason !== undefined && `: ${formatWord(end.reason)}`}
        </strong>{" "}
        <span className="break-words">{end.message}</span>{" "}
        <span className="inline-flex flex-wrap gap-x-3">
          {startedAt !== undefined && (
            <span>
              after <Duration ms={end.at - startedAt} />
            </span>
          )}
          {report !== undefined && (
            <span>
              {plural(report.turns, "turn")}, <Money usd={report.costUsd} />
            </span>
          )}
          {report?.result !== undefined && (
            <Link
              to="/jobs/$jobId"
              params={{ jobId: job.jobId }}
              search={{ tab: "result", attempt: attempt.attempt }}
              className="text-inherit underline"
            >
              The result
            </Link>
          )}
        </span>
      </Banner>
    </div>
  );
}
