import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX } from "lucide-react";
import { useEffect, useRef, useState, type ReactNode } from "react";
import type { BulkFilter } from "../../../convex/protocol/queue.js";
import { readError } from "../../lib/errors.js";
import { formatId, plural } from "../../lib/format.js";
import { Button } from "../../ui/Button.js";
import { Dialog } from "../../ui/Dialog.js";
import { Loading } from "../../ui/States.js";
import { useActOnJob, useOperation, useStartBulk, type JobId, type Outcome } from "./jobs.js";

/** An action on the named jobs, or on all that meet a filter. */
export type Bulk = { action: "cancel" | "retry" } & (
  { jobIds: readonly JobId[] } | { filter: BulkFilter }
);

const TITLES = { cancel: "Canceling jobs", retry: "Retrying jobs" } as const;

/** How far a bulk action is, and what became of each job. It goes on when the dialog is closed. */
export function BulkDialog({ bulk, onClose }: { bulk: Bulk; onClose: () => void }): ReactNode {
  return (
    <Dialog title={TITLES[bulk.action]} open onClose={onClose}>
      {"jobIds" in bulk ? (
        <OneByOne action={bulk.action} jobIds={bulk.jobIds} />
      ) : (
        <ByFilter action={bulk.action} filter={bulk.filter} />
      )}
    </Dialog>
  );
}

function OneByOne({
  action,
  jobIds,
}: {
  action: Bulk["action"];
  jobIds: readonly JobId[];
}): ReactNode {
  const act = useActOnJob();
  const [outcomes, setOutcomes] = useState<readonly Outcome[]>([]);
  const isStarted = useRef(false);
  useEffect(() => {
    // Effects run twice in development; the jobs are acted on once.
    if (isStarted.current) return;
    isStarted.current = true;
    void (async () => {
      for (const jobId of jobIds) {
        const outcome = await act(action, jobId);
        setOutcomes((before) => [...before, outcome]);
      }
    })();
  }, [act, action, jobIds]);
  return (
    <>
      <Progress
        done={outcomes.filter(({ ok }) => ok).length}
        refused={outcomes.filter(({ ok }) => !ok).length}
        all={jobIds.length}
        isOver={outcomes.length === jobIds.length}
      />
      <Outcomes outcomes={outcomes} />
    </>
  );
}

function ByFilter({ action, filter }: { action: Bulk["action"]; filter: BulkFilter }): ReactNode {
  const start = useStartBulk();
  const [operationId, setOperationId] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const isStarted = useRef(false);
  useEffect(() => {
    if (isStarted.current) return;
    isStarted.current = true;
    start(action, filter).then(setOperationId, (error: unknown) => {
      setProblem(readError(error).message);
    });
  }, [start, action, filter]);
  if (problem !== null) {
    return (
      <p role="alert" className="m-0 text-bad">
        {problem}
      </p>
    );
  }
  return operationId === null ? (
    <Loading what="the operation" rows={2} />
  ) : (
    <Running operationId={operationId} />
  );
}

function Running({ operationId }: { operationId: string }): ReactNode {
  const { operation, cancel, outcomes } = useOperation(operationId);
  if (operation === undefined) return <Loading what="the operation" rows={2} />;
  const isOver = operation.status !== "running";
  return (
    <>
      <Progress done={operation.done} refused={operation.refused} isOver={isOver} />
      {!isOver && (
        <Button size="small" className="mb-3" onClick={() => void cancel({ operationId })}>
          Go no further
        </Button>
      )}
      <Outcomes outcomes={outcomes.results} />
      {outcomes.status === "CanLoadMore" && (
        <Button
          size="small"
          className="mt-2"
          onClick={() => {
            outcomes.loadMore(50);
          }}
        >
          Show more
        </Button>
      )}
    </>
  );
}

type ProgressProps = { done: number; refused: number; all?: number; isOver: boolean };

function Progress({ done, refused, all, isOver }: ProgressProps): ReactNode {
  const looked = done + refused;
  return (
    <div className="mb-3">
      <p role="status" className="m-0 mb-2">
        {isOver ? "Done: " : "At work: "}
        {plural(done, "job")} changed{refused > 0 && `, ${refused} refused`}
        {all !== undefined && ` of ${all}`}.
      </p>
      {/* Without a known end the bar only says that it goes on. */}
      {!(isOver && all === undefined) && (
        <progress
          aria-label="Progress"
          className="h-1.5 w-full accent-(--accent)"
          {...(all === undefined ? {} : { value: looked, max: all })}
        />
      )}
    </div>
  );
}

function Outcomes({ outcomes }: { outcomes: readonly Outcome[] }): ReactNode {
  return (
    <ul aria-label="Outcomes" className="m-0 flex list-none flex-col gap-1.5 p-0">
      {outcomes.map(({ jobId, ok, detail }) => (
        <li key={jobId} className="flex items-start gap-2">
          {ok ? (
            <CircleCheck size={15} aria-label="Done" className="mt-0.5 shrink-0 text-good" />
          ) : (
            <CircleX size={15} aria-label="Refused" className="mt-0.5 shrink-0 text-bad" />
          )}
          <Link
            to="/jobs/$jobId"
            params={{ jobId }}
            className="font-mono text-[13px] text-accent underline"
          >
            {formatId(jobId)}
          </Link>
          <span className="min-w-0 text-[13px] break-words text-muted">{detail}</span>
        </li>
      ))}
    </ul>
  );
}
