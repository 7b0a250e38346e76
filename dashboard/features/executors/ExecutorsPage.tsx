import { Plus } from "lucide-react";
import { useState, type ReactNode } from "react";
import { plural } from "../../lib/format.js";
import { useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { PageHead } from "../../ui/Page.js";
import { EmptyState, Loading } from "../../ui/States.js";
import { EnrolDialog } from "./EnrolDialog.js";
import { ExecutorCard } from "./ExecutorCard.js";
import { useExecutorRows, type ExecutorRow } from "./executors.js";

/** The machines that run jobs: which are there, how full and how well they are. */
export function ExecutorsPage(): ReactNode {
  const rows = useExecutorRows();
  const [isEnrolling, setEnrolling] = useState(false);
  const enrol = <EnrolButton onPress={setEnrolling} />;
  const online = rows?.filter(({ presence, revoked }) => presence === "online" && !revoked) ?? [];
  return (
    <>
      <PageHead
        title="Executors"
        tabTitle={rows === undefined ? "Executors" : `Executors, ${online.length} online`}
        actions={enrol}
      >
        {online.length > 0 && <Capacity online={online} />}
      </PageHead>
      {rows === undefined ? (
        <Loading what="executors" rows={6} />
      ) : rows.length === 0 ? (
        <EmptyState title="No executor yet" actions={enrol}>
          An executor is a machine with git that runs the jobs: Claude Code works there, in a fresh
          clone. Enrol one, here or anywhere that reaches this deployment.
        </EmptyState>
      ) : (
        <Cards rows={rows} />
      )}
      {isEnrolling && (
        <EnrolDialog
          known={rows ?? []}
          onClose={() => {
            setEnrolling(false);
          }}
        />
      )}
    </>
  );
}

function EnrolButton({ onPress }: { onPress: (isOpen: true) => void }): ReactNode {
  const unable = useUnable("administrator");
  return (
    <Button
      kind="primary"
      icon={<Plus size={16} aria-hidden />}
      unable={unable}
      onClick={() => {
        onPress(true);
      }}
    >
      Enrol an executor
    </Button>
  );
}

function Capacity({ online }: { online: readonly ExecutorRow[] }): ReactNode {
  const slots = online.reduce((sum, one) => sum + one.slots, 0);
  const free = online.reduce((sum, one) => sum + one.freeSlots, 0);
  return `${plural(slots - free, "slot")} of ${slots} in use on ${plural(online.length, "machine")} online.`;
}

function Cards({ rows }: { rows: readonly ExecutorRow[] }): ReactNode {
  const revoked = rows.filter((row) => row.revoked);
  return (
    <>
      <ul aria-label="Executors" className="m-0 grid list-none gap-4 p-0 xl:grid-cols-2">
        {rows
          .filter((row) => !row.revoked)
          .map((row) => (
            <ExecutorCard key={row.executorId} row={row} />
          ))}
      </ul>
      {revoked.length > 0 && (
        <details className="mt-4 text-muted">
          <summary className="cursor-pointer py-1">
            {plural(revoked.length, "executor")} revoked
          </summary>
          <ul className="m-0 mt-1 flex list-none flex-wrap gap-x-6 gap-y-1 p-0">
            {revoked.map(({ executorId, name }) => (
              <li key={executorId}>{name}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
