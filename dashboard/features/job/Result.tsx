import { Download, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { AttemptView, JobDetail } from "../../../convex/protocol/view.js";
import { saveFile } from "../../lib/download.js";
import { formatId, formatWord } from "../../lib/format.js";
import { Banner } from "../../ui/Banner.js";
import { IconButton } from "../../ui/Button.js";
import { CopyButton } from "../../ui/CopyButton.js";
import { LazyMarkdown } from "../../ui/LazyMarkdown.js";
import { Panel } from "../../ui/Page.js";
import { EmptyState, Loading, NoMatchState } from "../../ui/States.js";
import { useAttempt } from "./job.js";

/** What the run answered, and how it ended where that was badly. */
export function Result({ job, attempt: number }: { job: JobDetail; attempt: number }): ReactNode {
  const attempt = useAttempt(job, number);
  if (attempt === undefined) return <Loading what="the result" />;
  if (attempt === null) {
    return job.attempt === 0 ? (
      <EmptyState title="No result yet">The job has not run.</EmptyState>
    ) : (
      <NoMatchState title={`There is no attempt ${number}`} />
    );
  }
  const { end, report } = attempt;
  const result = report?.result;
  return (
    <div className="flex flex-col gap-3">
      {end !== undefined && end.kind !== "succeeded" && <Ending end={end} />}
      {result === undefined || result === "" ? (
        <EmptyState title={end === undefined ? "No result yet" : "No result"}>
          {end === undefined
            ? "Claude is at work. Its answer will be here; what it does is in Activity."
            : "The attempt ended before Claude gave an answer. The log says how far it came."}
        </EmptyState>
      ) : (
        <Panel
          title="Answer"
          actions={
            <span className="flex gap-1">
              <CopyButton text={result} name="Copy the answer" />
              <IconButton
                name="Download the answer"
                icon={<Download size={15} aria-hidden />}
                onClick={() => {
                  const name = `${formatId(job.jobId)}-attempt-${number}.md`;
                  saveFile(name, new Blob([result], { type: "text/markdown" }));
                }}
              />
            </span>
          }
        >
          <LazyMarkdown text={result} />
        </Panel>
      )}
    </div>
  );
}

function Ending({ end }: { end: NonNullable<AttemptView["end"]> }): ReactNode {
  return (
    <Banner
      tone={end.kind === "failed" ? "bad" : "warn"}
      icon={<TriangleAlert size={17} aria-hidden className="shrink-0" />}
    >
      <strong className="font-semibold">
        This attempt ended {end.kind}
        {end.reason !== undefined && `: ${formatWord(end.reason)}`}.
      </strong>{" "}
      <span className="break-words">{end.message}</span>
      {!end.charged && " It does not count against the job."}
    </Banner>
  );
}
