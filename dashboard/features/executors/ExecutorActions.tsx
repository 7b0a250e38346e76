import { CirclePause, CirclePlay, KeyRound, MoreHorizontal, ShieldX } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useUnable } from "../../session/me.js";
import { Button, IconButton } from "../../ui/Button.js";
import { ConfirmDialog } from "../../ui/Dialog.js";
import { Menu } from "../../ui/Menu.js";
import { tellOutcome } from "../../ui/toast.js";
import { useExecutorActions, type ExecutorRow } from "./executors.js";

/** Drain, resume, and what is asked about first. */
export function ExecutorActions({ row }: { row: ExecutorRow }): ReactNode {
  return (
    <div className="flex flex-wrap gap-2">
      <Turn row={row} />
      <More row={row} />
    </div>
  );
}

/** Gives no more work, or work again. */
function Turn({ row }: { row: ExecutorRow }): ReactNode {
  const { executorId, name, draining, unhealthy } = row;
  const { drain, resume } = useExecutorActions();
  const unable = useUnable("operator");
  const isResting = draining || unhealthy !== null;
  const turn = (): void => {
    const words = isResting
      ? { done: `${name} gets work again`, failed: `${name} was not resumed` }
      : {
          done: `${name} finishes what runs and gets nothing new`,
          failed: `${name} was not drained`,
        };
    void tellOutcome((isResting ? resume : drain)({ executorId }), words);
  };
  const Icon = isResting ? CirclePlay : CirclePause;
  return (
    <Button size="small" icon={<Icon size={14} aria-hidden />} unable={unable} onClick={turn}>
      {isResting ? "Resume" : "Drain"}
    </Button>
  );
}

/** What is done seldom, and by administrators. */
function More({ row: { executorId, name } }: { row: ExecutorRow }): ReactNode {
  const { rotate, revoke } = useExecutorActions();
  const [isRevoking, setRevoking] = useState(false);
  const unable = useUnable("administrator");
  return (
    <>
      <Menu
        trigger={
          <IconButton name={`More for ${name}`} icon={<MoreHorizontal size={16} aria-hidden />} />
        }
        entries={[
          {
            ...{ title: "Ask for a new key", icon: <KeyRound size={15} aria-hidden />, unable },
            onChoose: () =>
              void tellOutcome(rotate({ executorId }), {
                done: `${name} makes a new key with its next heartbeat`,
                failed: `${name} was not asked`,
              }),
          },
          {
            ...{ title: "Revoke…", icon: <ShieldX size={15} aria-hidden />, unable },
            onChoose: () => {
              setRevoking(true);
            },
          },
        ]}
      />
      <ConfirmDialog
        title={`Revoke ${name}?`}
        action="Revoke it"
        open={isRevoking}
        onClose={() => {
          setRevoking(false);
        }}
        onConfirm={() =>
          tellOutcome(revoke({ executorId }), {
            done: `${name} is revoked`,
            failed: `${name} was not revoked`,
          })
        }
      >
        Its identity ends for good: what it runs goes back to the queue at once, and to come back it
        must be enrolled anew.
      </ConfirmDialog>
    </>
  );
}
