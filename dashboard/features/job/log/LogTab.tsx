import { useLocation, useNavigate } from "@tanstack/react-router";
import { useDeferredValue, useState, type ReactNode } from "react";
import type { JobDetail } from "../../../../convex/protocol/view.js";
import { isTerminal } from "../../../lib/stateLook.js";
import { EmptyState, ErrorState, Loading } from "../../../ui/States.js";
import { Button } from "../../../ui/Button.js";
import { useLog } from "./log.js";
import { LogBar } from "./LogBar.js";
import { LogRows } from "./LogRows.js";
import { NO_FOLDS, type Folds, type LogModel } from "./model.js";
import { usePreferences } from "./preferences.js";

/** Number of the line that an address points at, counted from 1; 0 where it points at none. */
export function lineOfHash(hash: string): number {
  return Number(/^L(\d{1,9})$/.exec(hash)?.[1] ?? 0);
}

/** The raw log of an attempt. */
export function LogTab({ job, attempt }: { job: JobDetail; attempt: number }): ReactNode {
  const { model, isWhole, version, share, problem, retry } = useLog(job.jobId, attempt);
  if (problem !== null) {
    return (
      <ErrorState error={problem} what="log" actions={<Button onClick={retry}>Again</Button>} />
    );
  }
  if (model.lines.length === 0) {
    const isOver = isTerminal(job.state.kind) || attempt < job.attempt;
    if (!isWhole) return <Loading what="the log" rows={10} />;
    return (
      <EmptyState title={isOver ? "The log is empty" : "Nothing was logged so far"}>
        {isOver
          ? "The attempt ended before its executor wrote a line, or its log was deleted with age."
          : "Lines appear here as the executor works."}
      </EmptyState>
    );
  }
  return (
    <Viewer
      name={`${job.jobId}-attempt-${attempt}`}
      model={model}
      version={version}
      loading={isWhole ? null : share}
    />
  );
}

type ViewerProps = { name: string; model: LogModel; version: number; loading: number | null };

function Viewer({ name, model, version, loading }: ViewerProps): ReactNode {
  const navigate = useNavigate();
  const [preferences, setPreferences] = usePreferences();
  const [query, setQuery] = useState("");
  const [folds, setFolds] = useState<Folds>(NO_FOLDS);
  const [hit, setHit] = useState(-1);
  const pointed = useLocation({ select: ({ hash }) => lineOfHash(hash) }) - 1;
  const looked = useDeferredValue(query);
  const hits = model.find(looked);
  const current = hits[hit];
  return (
    <section aria-label="Log" className="rounded-lg border border-line">
      <LogBar
        name={name}
        model={model}
        loading={loading}
        find={{
          query,
          hits: hits.length,
          at: hit,
          setQuery: (text) => {
            setQuery(text);
            setHit(-1);
          },
          go: (step) => {
            // Of what is typed, not of what is shown: Enter may come before the page has caught up.
            const { length } = model.find(query);
            if (length === 0) return;
            const from = hit === -1 && step < 0 ? 0 : hit;
            setHit((from + step + length) % length);
          },
        }}
        preferences={preferences}
        onPreferences={setPreferences}
        folds={folds}
        onFolds={setFolds}
      />
      <LogRows
        // The end alone has other numbers of lines than the whole.
        key={loading === null ? "whole" : "end"}
        model={model}
        version={version}
        folds={loading === null ? folds : NO_FOLDS}
        onFolds={setFolds}
        onPoint={(line) => {
          void navigate({
            to: ".",
            search: true,
            hash: `L${line + 1}`,
            replace: true,
            resetScroll: false,
          });
        }}
        query={looked}
        target={current ?? (pointed >= 0 && loading === null ? pointed : null)}
        preferences={preferences}
        hasNumbers={loading === null}
      />
    </section>
  );
}
