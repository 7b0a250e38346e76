import { Download } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { ArtifactView } from "../../../convex/protocol/artifact.js";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { Badge } from "../../ui/Badge.js";
import { Button } from "../../ui/Button.js";
import { CopyButton } from "../../ui/CopyButton.js";
import { Bytes } from "../../ui/Figures.js";
import { EmptyState, Loading } from "../../ui/States.js";
import { Table, Td, Th } from "../../ui/Table.js";
import { Time } from "../../ui/Time.js";
import { useArtifacts, useSaveArtifact } from "./files.js";

const HASH_CHARS = 12;

/** Files that an attempt left behind. */
export function Artifacts({ job, attempt }: { job: JobDetail; attempt: number }): ReactNode {
  const artifacts = useArtifacts(job.jobId, attempt);
  if (artifacts === undefined) return <Loading what="the artifacts" />;
  if (artifacts.length === 0) {
    return (
      <EmptyState title="No artifacts">
        {job.spec.artifacts === undefined || job.spec.artifacts.length === 0
          ? "The job names no files to keep. What it changed is in Changes."
          : `Files that match ${job.spec.artifacts.join(", ")} are kept when the attempt ends.`}
      </EmptyState>
    );
  }
  return (
    <Table name="Artifacts">
      <thead>
        <tr>
          <Th>Name</Th>
          <Th end>Size</Th>
          <Th>SHA-256</Th>
          <Th end>Kept</Th>
          <Th>
            <span className="sr-only">Download</span>
          </Th>
        </tr>
      </thead>
      <tbody>
        {artifacts.map((artifact) => (
          <Row key={artifact.artifactId} artifact={artifact} />
        ))}
      </tbody>
    </Table>
  );
}

function Row({ artifact }: { artifact: ArtifactView }): ReactNode {
  const { name, kind, bytes, sha256, at } = artifact;
  const save = useSaveArtifact();
  const [isBusy, setBusy] = useState(false);
  return (
    <tr>
      <Td className="min-w-48">
        <span className="font-mono text-[13px] break-all">{name}</span>{" "}
        {kind === "patch" && <Badge>all changes</Badge>}
      </Td>
      <Td end>
        <Bytes bytes={bytes} />
      </Td>
      <Td className="whitespace-nowrap">
        <span className="font-mono text-[13px]" title={sha256}>
          {sha256.slice(0, HASH_CHARS)}
        </span>{" "}
        <CopyButton text={sha256} name={`Copy the SHA-256 of ${name}`} />
      </Td>
      <Td end>
        <Time past at={at} />
      </Td>
      <Td>
        <Button
          size="small"
          aria-label={`Download ${name}`}
          icon={<Download size={14} aria-hidden />}
          unable={isBusy ? "It is on its way." : undefined}
          onClick={() => {
            setBusy(true);
            void save(artifact).finally(() => {
              setBusy(false);
            });
          }}
        >
          Download
        </Button>
      </Td>
    </tr>
  );
}
