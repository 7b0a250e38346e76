import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, type ReactNode, type RefObject } from "react";
import type { JobView } from "../../../convex/protocol/view.js";
import { cx } from "../../lib/cx.js";
import { formatActor, formatId, formatRepository, formatWord } from "../../lib/format.js";
import { StateBadge } from "../../ui/Badge.js";
import { Table, Td, Th } from "../../ui/Table.js";
import { Duration, Elapsed, Nothing, Time } from "../../ui/Time.js";
import type { JobId } from "./jobs.js";
import type { Selection } from "./selection.js";

/** On a phone a row is a card: title above, state and time below, the rest on the job's own page. */
const CARD = {
  row: "max-sm:grid max-sm:grid-cols-[auto_1fr_auto] max-sm:border-b max-sm:border-line max-sm:last:border-b-0",
  box: "max-sm:row-span-2 max-sm:h-auto max-sm:border-b-0 max-sm:pt-3",
  title: "max-sm:col-span-2 max-sm:h-auto max-sm:border-b-0 max-sm:pt-2 max-sm:pl-0",
  state:
    "max-sm:col-start-2 max-sm:row-start-2 max-sm:h-auto max-sm:border-b-0 max-sm:pb-2.5 max-sm:pl-0",
  time: "max-sm:col-start-3 max-sm:row-start-2 max-sm:h-auto max-sm:border-b-0 max-sm:pb-2.5",
} as const;

/** The list; `j` and `k` move along it, `x` selects, Enter opens. */
export function JobTable({
  jobs,
  selection,
}: {
  jobs: readonly JobView[];
  selection: Selection;
}): ReactNode {
  const body = useRef<HTMLTableSectionElement>(null);
  useRowKeys(body, jobs, selection);
  const all = selection.ids.size === jobs.length;
  return (
    <Table name="Jobs">
      <thead className="max-sm:block">
        <tr className="max-sm:flex max-sm:border-b max-sm:border-line max-sm:bg-raised">
          <Th className="w-8 max-sm:flex max-sm:items-center max-sm:border-b-0">
            <input
              type="checkbox"
              aria-label="Select all jobs shown"
              checked={all}
              onChange={selection.toggleAll}
              className="size-4 align-middle accent-(--accent)"
            />
          </Th>
          <Th className="w-40 max-sm:hidden">State</Th>
          <Th className="max-sm:flex max-sm:items-center max-sm:border-b-0 max-sm:pl-0">Job</Th>
          <Th end className="max-sm:hidden">
            Attempt
          </Th>
          <Th className="max-sm:hidden">By</Th>
          <Th end className="max-sm:hidden">
            Submitted
          </Th>
          <Th end className="max-sm:hidden">
            Took
          </Th>
        </tr>
      </thead>
      <tbody ref={body} className="max-sm:block">
        {jobs.map((job) => (
          <Row
            key={job.jobId}
            job={job}
            isSelected={selection.ids.has(job.jobId)}
            onToggle={selection.toggle}
          />
        ))}
      </tbody>
    </Table>
  );
}

type RowProps = {
  job: JobView;
  isSelected: boolean;
  onToggle: (id: JobId, range: boolean) => void;
};

function Row({ job, isSelected, onToggle }: RowProps): ReactNode {
  const { jobId, title, spec, state, attempt, attemptsMax, submittedAt, submittedBy } = job;
  const name = title === "" ? formatId(jobId) : title;
  return (
    <tr
      className={cx(
        "hover:bg-raised",
        CARD.row,
        isSelected && "bg-accent-soft hover:bg-accent-soft",
      )}
    >
      <Td className={CARD.box}>
        <input
          type="checkbox"
          aria-label={`Select ${name}`}
          checked={isSelected}
          // The click tells whether shift is held; onChange does not.
          onChange={() => undefined}
          onClick={(event) => {
            onToggle(jobId, event.shiftKey);
          }}
          className="size-4 align-middle accent-(--accent)"
        />
      </Td>
      <Td className={cx("whitespace-nowrap", CARD.state)}>
        <StateBadge state={state.kind} note={noteOf(job)} />
      </Td>
      <Td className={cx("w-full sm:max-w-0 sm:min-w-56", CARD.title)}>
        <Link
          to="/jobs/$jobId"
          params={{ jobId }}
          data-row={jobId}
          className="block font-medium text-text no-underline hover:underline max-sm:line-clamp-2 sm:truncate"
        >
          {name}
        </Link>
        <span className="block truncate text-[13px] text-muted">
          {formatRepository(spec.repository)}
          {spec.ref !== "HEAD" && ` @ ${spec.ref}`}
        </span>
      </Td>
      <Td end className="max-sm:hidden">
        {attempt === 0 ? <Nothing /> : `${attempt}/${attemptsMax}`}
      </Td>
      <Td className="whitespace-nowrap max-sm:hidden">{formatActor(submittedBy)}</Td>
      <Td end className={CARD.time}>
        <Time at={submittedAt} />
      </Td>
      <Td end className="max-sm:hidden">
        <Took job={job} />
      </Td>
    </tr>
  );
}

/** From submission to the end, or while it runs since its start. */
function Took({ job: { state, submittedAt } }: { job: JobView }): ReactNode {
  switch (state.kind) {
    case "running":
      return <Elapsed from={state.startedAt} />;
    case "succeeded":
    case "failed":
    case "canceled":
      return <Duration ms={state.endedAt - submittedAt} />;
    case "pending":
    case "waiting":
    case "assigned":
    case "backoff":
      return <Nothing />;
  }
}

function noteOf({ state, cancelRequested }: JobView): string | undefined {
  switch (state.kind) {
    case "running":
      // The phase of that name says nothing new.
      if (cancelRequested) return "canceling";
      return state.phase === "running" ? undefined : state.phase;
    case "waiting":
      return state.reason;
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

function useRowKeys(
  body: RefObject<HTMLTableSectionElement | null>,
  jobs: readonly JobView[],
  selection: Selection,
): void {
  const navigate = useNavigate();
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isElsewhere(event.target)) return;
      const links = [...(body.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
      const focused = event.target instanceof Element ? event.target.closest("tr") : null;
      const at = links.findIndex((link) => focused?.contains(link) === true);
      const step = event.key === "j" ? 1 : event.key === "k" ? -1 : 0;
      const job = jobs[at];
      if (step !== 0) {
        event.preventDefault();
        links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
      } else if (event.key === "x" && job !== undefined) {
        selection.toggle(job.jobId, event.shiftKey);
      }
    };
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("keydown", onKey);
    };
  }, [body, jobs, selection, navigate]);
}

/** Whether the keys belong to a field, a menu or a dialog. */
function isElsewhere(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  if (target instanceof HTMLInputElement && target.type === "checkbox") return false;
  return target.closest("input, textarea, select, [role=dialog], [role=menu]") !== null;
}
