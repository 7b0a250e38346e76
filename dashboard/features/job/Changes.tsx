import { Columns2, Download, Rows2 } from "lucide-react";
import { lazy, Suspense, useState, type ReactNode } from "react";
import type { ArtifactView } from "../../../convex/protocol/artifact.js";
import type { Changes as ChangesView } from "../../../convex/protocol/job.js";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { saveFile } from "../../lib/download.js";
import { formatBytes, formatId, plural } from "../../lib/format.js";
import { Banner } from "../../ui/Banner.js";
import { Button } from "../../ui/Button.js";
import { CopyButton } from "../../ui/CopyButton.js";
import type { DiffView } from "../../ui/Diff.js";
import { EmptyState, Loading } from "../../ui/States.js";
import { useArtifacts, useArtifactText, useSaveArtifact } from "./files.js";
import { useAttempt } from "./job.js";

const Diff = lazy(async () => ({ default: (await import("../../ui/Diff.js")).Diff }));

/** A longer patch is for an editor, not for a page. */
const SHOWN_BYTES_MAX = 2 * 1024 * 1024;

/** What the run did to the tree: the whole patch where it was kept as a file, else what the report holds. */
export function Changes({ job, attempt: number }: { job: JobDetail; attempt: number }): ReactNode {
  const attempt = useAttempt(job, number);
  const artifacts = useArtifacts(job.jobId, number);
  if (attempt === undefined || artifacts === undefined) return <Loading what="the changes" />;
  const changes = attempt?.report?.changes;
  const patch = artifacts.find(({ kind }) => kind === "patch") ?? null;
  if (patch === null && (changes === undefined || changes.files === 0)) {
    return (
      <EmptyState title={attempt?.end === undefined ? "No changes yet" : "Nothing was changed"}>
        {attempt?.end === undefined
          ? "What Claude changes in the clone is collected when the attempt ends."
          : "The attempt left the tree as it was, or ended before its changes were collected."}
      </EmptyState>
    );
  }
  const name = `${formatId(job.jobId)}-attempt-${number}.patch`;
  return <Patch name={name} artifact={patch} changes={changes} />;
}

type PatchProps = {
  name: string;
  artifact: ArtifactView | null;
  changes: ChangesView | undefined;
};

function Patch({ name, artifact, changes }: PatchProps): ReactNode {
  const isShown = artifact !== null && artifact.bytes <= SHOWN_BYTES_MAX;
  const fetched = useArtifactText(isShown ? artifact : null);
  const [view, setView] = useState<DiffView>("unified");
  const save = useSaveArtifact();
  if (fetched === undefined) return <Loading what="the patch" />;
  const whole = fetched !== null && "text" in fetched ? fetched.text : undefined;
  const text = whole ?? changes?.patch ?? "";
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        {changes !== undefined && <Counts changes={changes} />}
        <span className="flex-1" />
        <ViewChoice view={view} onChoose={setView} />
        <CopyButton text={text} name="Copy the patch" />
        <Button
          size="small"
          icon={<Download size={14} aria-hidden />}
          onClick={() => {
            if (artifact === null) saveFile(name, new Blob([text], { type: "text/x-diff" }));
            else void save(artifact);
          }}
        >
          Download
        </Button>
      </div>
      {fetched !== null && "problem" in fetched && (
        <Banner tone="warn">The whole patch could not be fetched: {fetched.problem}</Banner>
      )}
      {whole === undefined && <Cut changes={changes} artifact={artifact} />}
      <Suspense fallback={<Loading what="the patch" />}>
        <Diff patch={text} view={view} />
      </Suspense>
    </div>
  );
}

/** Says so where only the beginning of the patch is shown. */
function Cut({ changes, artifact }: Omit<PatchProps, "name">): ReactNode {
  if (changes?.patchTruncated !== true) return null;
  return (
    <Banner tone="warn">
      The patch is long: only its beginning is shown.
      {artifact !== null && ` The whole is ${formatBytes(artifact.bytes)}; download it.`}
    </Banner>
  );
}

function Counts({ changes }: { changes: ChangesView }): ReactNode {
  return (
    <span>
      {plural(changes.files, "file")} changed,{" "}
      <span className="text-good tabular-nums">+{changes.insertions}</span>{" "}
      <span className="text-bad tabular-nums">−{changes.deletions}</span>
    </span>
  );
}

/** Side by side needs room: phones have the one view. */
function ViewChoice({
  view,
  onChoose,
}: {
  view: DiffView;
  onChoose: (view: DiffView) => void;
}): ReactNode {
  const other = view === "unified" ? "split" : "unified";
  return (
    <Button
      size="small"
      className="max-md:hidden"
      icon={
        other === "split" ? <Columns2 size={14} aria-hidden /> : <Rows2 size={14} aria-hidden />
      }
      onClick={() => {
        onChoose(other);
      }}
    >
      {other === "split" ? "Side by side" : "One column"}
    </Button>
  );
}
