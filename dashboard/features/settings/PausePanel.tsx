import { CirclePause, CirclePlay } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { Pause } from "../../../convex/protocol/queue.js";
import { formatActor } from "../../lib/format.js";
import { useUnable } from "../../session/me.js";
import { Banner } from "../../ui/Banner.js";
import { Button } from "../../ui/Button.js";
import { CheckField, TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Panel } from "../../ui/Page.js";
import { Time } from "../../ui/Time.js";
import { tellDone, tellOutcome } from "../../ui/toast.js";
import { useQueueActions } from "./queue.js";

/** Gives nothing out until it is resumed. */
export function PausePanel({ paused }: { paused: Pause | null }): ReactNode {
  const { resume } = useQueueActions();
  const unable = useUnable("operator");
  return (
    <Panel title="Pause">
      {paused === null ? (
        <PauseForm />
      ) : (
        <Banner
          tone="warn"
          icon={<CirclePause size={17} aria-hidden />}
          actions={
            <Button
              size="small"
              icon={<CirclePlay size={14} aria-hidden />}
              unable={unable}
              onClick={() =>
                void tellOutcome(resume({}), {
                  done: "The queue gives work out again",
                  failed: "The queue was not resumed",
                })
              }
            >
              Resume
            </Button>
          }
        >
          {paused.kind === "maintenance" ? "Maintenance" : "Paused"} by {formatActor(paused.by)}{" "}
          <Time at={paused.since} />: {paused.reason}
        </Banner>
      )}
    </Panel>
  );
}

function PauseForm(): ReactNode {
  const { pause } = useQueueActions();
  const [reason, setReason] = useState("");
  const [maintenance, setMaintenance] = useState(false);
  const unable = useUnable("operator");
  return (
    <Form
      action="Pause everything"
      kind="plain"
      unable={unable}
      onSubmit={async () => {
        await pause({ reason: reason.trim(), maintenance });
        tellDone("The queue is paused", "What runs goes on; submissions are taken.");
      }}
    >
      <p className="m-0 text-muted">
        Nothing new is given out; what runs goes on, and submissions are taken.
      </p>
      <TextField
        label="Why"
        hint="One line, for whoever wonders."
        value={reason}
        onChange={(event) => {
          setReason(event.target.value);
        }}
      />
      <CheckField
        label="It is maintenance"
        checked={maintenance}
        onChange={(event) => {
          setMaintenance(event.target.checked);
        }}
      />
    </Form>
  );
}
