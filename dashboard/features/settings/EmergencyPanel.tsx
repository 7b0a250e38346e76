import { OctagonX } from "lucide-react";
import { useState, type ReactNode } from "react";
import { formatActor } from "../../lib/format.js";
import { useUnable } from "../../session/me.js";
import { Banner } from "../../ui/Banner.js";
import { Button } from "../../ui/Button.js";
import { Dialog } from "../../ui/Dialog.js";
import { CheckField, SelectField, TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Panel } from "../../ui/Page.js";
import { Time } from "../../ui/Time.js";
import { tellDone, tellOutcome } from "../../ui/toast.js";
import { useQueueActions, type useStop } from "./queue.js";

type Stop = NonNullable<ReturnType<typeof useStop>>;
/** Typed before everything is stopped. */
const WORD = "stop";

/** Stops everything at once, and lets it go on. */
export function EmergencyPanel({ stop }: { stop: Stop | null }): ReactNode {
  const [isAsking, setAsking] = useState(false);
  const unable = useUnable("administrator");
  return (
    <Panel title="Emergency stop">
      {stop !== null ? (
        <Stopped stop={stop} />
      ) : (
        <>
          <p className="m-0 mb-4 text-muted">
            Pauses the queue and ends what runs; if need be the identity of every executor and all
            sessions too. For a leak, or a run gone astray.
          </p>
          <Button
            kind="danger"
            icon={<OctagonX size={15} aria-hidden />}
            unable={unable}
            onClick={() => {
              setAsking(true);
            }}
          >
            Stop everything…
          </Button>
        </>
      )}
      {isAsking && (
        <Dialog
          title="Stop everything?"
          open
          onClose={() => {
            setAsking(false);
          }}
        >
          <StopForm
            onStopped={() => {
              setAsking(false);
            }}
          />
        </Dialog>
      )}
    </Panel>
  );
}

function Stopped({ stop }: { stop: Stop }): ReactNode {
  const { lift } = useQueueActions();
  const unable = useUnable("administrator");
  return (
    <Banner
      tone="bad"
      icon={<OctagonX size={17} aria-hidden />}
      actions={
        <Button
          size="small"
          unable={unable}
          onClick={() =>
            void tellOutcome(lift({}), {
              done: "The stop is lifted",
              failed: "The stop was not lifted",
            })
          }
        >
          Lift the stop
        </Button>
      }
    >
      Stopped by {formatActor(stop.by)} <Time at={stop.since} />: {stop.reason}
    </Banner>
  );
}

function StopForm({ onStopped }: { onStopped: () => void }): ReactNode {
  const { stop } = useQueueActions();
  const [reason, setReason] = useState("");
  const [running, setRunning] = useState<"cancel" | "drain">("cancel");
  const [revokeExecutors, setRevoke] = useState(false);
  const [endSessions, setEnd] = useState(false);
  const [word, setWord] = useState("");
  const unable = useUnable("administrator");
  return (
    <Form
      action="Stop everything"
      kind="danger"
      unable={unable ?? (word.trim() === WORD ? undefined : `Type the word ${WORD} first.`)}
      onSubmit={async () => {
        await stop({ reason: reason.trim(), running, revokeExecutors, endSessions });
        tellDone("Everything is stopped");
        onStopped();
      }}
    >
      <TextField
        label="Why"
        autoFocus
        value={reason}
        onChange={(event) => {
          setReason(event.target.value);
        }}
      />
      <SelectField
        label="What runs"
        options={[
          { value: "cancel", title: "is ended at once" },
          { value: "drain", title: "may finish" },
        ]}
        value={running}
        onChange={(event) => {
          setRunning(event.target.value === "drain" ? "drain" : "cancel");
        }}
      />
      <CheckField
        label="End the identity of every executor"
        hint="For good: each has to be enrolled anew."
        checked={revokeExecutors}
        onChange={(event) => {
          setRevoke(event.target.checked);
        }}
      />
      <CheckField
        label="End all sessions and API keys"
        hint="Yours too: everybody signs in anew."
        checked={endSessions}
        onChange={(event) => {
          setEnd(event.target.checked);
        }}
      />
      <TextField
        label={`Type ${WORD} to go on`}
        autoCapitalize="none"
        spellCheck={false}
        value={word}
        onChange={(event) => {
          setWord(event.target.value);
        }}
      />
    </Form>
  );
}
