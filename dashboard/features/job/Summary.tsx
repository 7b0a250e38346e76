import type { ReactNode } from "react";
import type { AttemptReport } from "../../../convex/protocol/job.js";
import type { AttemptView, JobDetail } from "../../../convex/protocol/view.js";
import { formatCompact, formatCount, formatElapsed } from "../../lib/format.js";
import { useNow } from "../../lib/now.js";
import { isTerminal } from "../../lib/stateLook.js";
import { Money } from "../../ui/Figures.js";
import { Facts, Panel } from "../../ui/Page.js";
import { Duration, Elapsed, Nothing } from "../../ui/Time.js";
import { useExecutorNames } from "./job.js";
import { Overshoot } from "./Overshoot.js";
import { ranMs, spansOf } from "./phases.js";
import { SpanBar } from "./SpanBar.js";

/** Where the time went, what it cost, who does it. */
export function Summary({ job }: { job: JobDetail }): ReactNode {
  const { latest, state } = job;
  return (
    <Panel title="At a glance">
      {latest === null ? (
        <p className="m-0 text-muted">
          {isTerminal(state.kind) ? "It ended before an executor had it." : "No attempt so far."}
        </p>
      ) : (
        <Latest job={job} latest={latest} />
      )}
    </Panel>
  );
}

function Latest({ job, latest }: { job: JobDetail; latest: AttemptView }): ReactNode {
  const names = useExecutorNames();
  const { report } = latest;
  const counted = report ?? latest.spend;
  return (
    <div className="flex flex-col gap-3.5">
      <Spans job={job} latest={latest} />
      <Facts
        rows={[
          ["Executor", names(latest.executorId)],
          [
            job.attempt > 1 ? `Cost of attempt ${job.attempt}` : "Cost",
            <Cost key="c" of={latest} />,
          ],
          ...(job.attempt > 1 && job.spent !== undefined
            ? [["Cost in all", <Money key="a" usd={job.spent.costUsd} />] as const]
            : []),
          [
            "Tokens",
            counted === undefined ? <Nothing key="t" /> : <TokenCounts key="t" of={counted} />,
          ],
          ["Model", report?.model ?? job.spec.limits.model ?? "the CLI's default"],
          ["Took", <Took key="d" job={job} latest={latest} />],
        ]}
      />
    </div>
  );
}

function Spans({ job, latest }: { job: JobDetail; latest: AttemptView }): ReactNode {
  const now = useNow();
  return <SpanBar spans={spansOf(job, latest, now)} />;
}

function Cost({ of: { report, end, spend } }: { of: AttemptView }): ReactNode {
  if (report === undefined && spend === undefined) {
    return end === undefined ? (
      <span className="text-muted">known when it ends: no budget bounds it</span>
    ) : (
      <Nothing />
    );
  }
  return (
    <>
      <Money usd={report?.costUsd ?? spend?.costUsd} />
      <span className="text-muted">
        {report !== undefined && ` · ${formatCount(report.turns)} turns`}
        {report === undefined && end === undefined && " so far"}
        {end === undefined && spend?.lineUsd !== undefined && (
          <>
            , stopped beyond <Money usd={spend.lineUsd} />
          </>
        )}
      </span>
      <Overshoot spend={spend} />
    </>
  );
}

function TokenCounts({ of }: { of: Pick<AttemptReport, "tokens"> }): ReactNode {
  const { input, output, cacheRead, cacheCreation } = of.tokens;
  return (
    <span
      title={`${formatCount(input)} in, ${formatCount(output)} out, ${formatCount(cacheRead)} read from cache, ${formatCount(cacheCreation)} written to cache`}
    >
      {formatCompact(input)} in, {formatCompact(output)} out
      <span className="text-muted">
        {" "}
        · cache {formatCompact(cacheRead)} read, {formatCompact(cacheCreation)} written
      </span>
    </span>
  );
}

function Took({
  job: { state, submittedAt },
  latest,
}: {
  job: JobDetail;
  latest: AttemptView;
}): ReactNode {
  const ended = "endedAt" in state ? state.endedAt : undefined;
  return (
    <>
      <Ran latest={latest} />
      <span className="text-muted">
        {" "}
        · since submission <Elapsed from={submittedAt} to={ended} />
      </span>
    </>
  );
}

function Ran({ latest }: { latest: AttemptView }): ReactNode {
  const now = useNow();
  const ms = ranMs(latest, now);
  if (ms === null) return <Nothing />;
  if (latest.end !== undefined) return <Duration ms={ms} />;
  return <span className="tabular-nums">{formatElapsed(ms)}</span>;
}
