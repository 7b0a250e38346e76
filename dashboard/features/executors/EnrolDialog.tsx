import { CircleCheck, LoaderCircle } from "lucide-react";
import { useState, type ReactNode, type SyntheticEvent } from "react";
import { readError } from "../../lib/errors.js";
import { useConnection } from "../../session/SessionProvider.js";
import { Button } from "../../ui/Button.js";
import { Command } from "../../ui/Command.js";
import { Dialog } from "../../ui/Dialog.js";
import { TextField } from "../../ui/Field.js";
import { Time } from "../../ui/Time.js";
import { useEnrol, type ExecutorRow } from "./executors.js";

type Invitation = { name: string; token: string; expiresAt: number };

/** Makes an invitation, shows the one command to paste, and says when the executor has come. */
export function EnrolDialog({
  known,
  onClose,
}: {
  known: readonly ExecutorRow[];
  onClose: () => void;
}): ReactNode {
  const [invitation, setInvitation] = useState<Invitation | null>(null);
  // Who is there already; whoever of that name comes later is the invited one.
  const [before] = useState(() => new Set(known.map(({ executorId }) => executorId)));
  const arrived = known.some(
    ({ executorId, name, presence }) =>
      name === invitation?.name && !before.has(executorId) && presence === "online",
  );
  return (
    <Dialog title="Enrol an executor" open onClose={onClose}>
      {invitation === null ? (
        <NameForm onInvite={setInvitation} />
      ) : (
        <Instructions invitation={invitation} hasArrived={arrived} onClose={onClose} />
      )}
    </Dialog>
  );
}

function NameForm({ onInvite }: { onInvite: (invitation: Invitation) => void }): ReactNode {
  const enrol = useEnrol();
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string>();
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    const label = name.trim();
    enrol({ label }).then(
      (made) => {
        onInvite({ name: label, ...made });
      },
      (error: unknown) => {
        setProblem(readError(error).message);
      },
    );
  };
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4">
      <TextField
        label="Name"
        hint="How it is called here; its host's name is a good one."
        autoFocus
        required
        spellCheck={false}
        autoCapitalize="none"
        value={name}
        problem={problem}
        onChange={(event) => {
          setName(event.target.value);
          setProblem(undefined);
        }}
      />
      <Button kind="primary" type="submit" className="self-start">
        Make an invitation
      </Button>
    </form>
  );
}

type InstructionsProps = { invitation: Invitation; hasArrived: boolean; onClose: () => void };

function Instructions({ invitation, hasArrived, onClose }: InstructionsProps): ReactNode {
  const { client } = useConnection();
  const { name, token, expiresAt } = invitation;
  const variables = `CONVEX_URL=${client.url} FONDATION_ENROL_TOKEN=${token} WORKER_ID=${name}`;
  return (
    <div className="flex flex-col gap-4">
      <p className="m-0">
        In a checkout of Fondation on the machine that is to run jobs, built by{" "}
        <code className="font-mono text-[13px]">npm run build</code>, paste:
      </p>
      <Command name="the command" text={`${variables} node dist/executor.mjs`} />
      <p className="m-0 text-[13px] text-muted">
        The token is good once, until <Time at={expiresAt} />, and is not shown again. Later starts
        do without it: the executor keeps a key of its own.
      </p>
      <p role="status" className="m-0 flex items-center gap-2">
        {hasArrived ? (
          <>
            <CircleCheck size={17} aria-hidden className="text-good" />
            {name} is online.
          </>
        ) : (
          <>
            <LoaderCircle
              size={17}
              aria-hidden
              className="animate-[spin_2.4s_linear_infinite] text-live"
            />
            Waiting for {name} to come online…
          </>
        )}
      </p>
      <Button kind={hasArrived ? "primary" : "plain"} className="self-start" onClick={onClose}>
        {hasArrived ? "Done" : "Close"}
      </Button>
    </div>
  );
}
