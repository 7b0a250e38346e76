import { useState, type ReactNode } from "react";
import type { gateLimitView } from "../../../convex/protocol/queue.js";
import { useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Panel } from "../../ui/Page.js";
import { tellDone, tellOutcome } from "../../ui/toast.js";
import { useQueueActions } from "./queue.js";

type Gate = typeof gateLimitView.type;

/** Limits of single keys and people; 0 pauses. */
export function GatesPanel({ gates }: { gates: readonly Gate[] }): ReactNode {
  const { setGateLimit } = useQueueActions();
  const unable = useUnable("operator");
  return (
    <Panel title="Limits of single keys and people">
      <div className="flex flex-col gap-4">
        {gates.length > 0 && (
          <ul className="m-0 flex list-none flex-col gap-2 p-0">
            {gates.map(({ gate, limit, note }) => (
              <li key={gate} className="flex flex-wrap items-center gap-x-3">
                <span className="min-w-0 flex-1 break-all">
                  {gate}: {limit === 0 ? "paused" : `${limit} at once`}
                  {note !== undefined && <span className="text-muted"> ({note})</span>}
                </span>
                <Button
                  size="small"
                  unable={unable}
                  aria-label={`Take the limit of ${gate} away`}
                  onClick={() =>
                    void tellOutcome(setGateLimit({ gate, limit: null }), {
                      done: `${gate} has the usual limit again`,
                      failed: "The limit stays",
                    })
                  }
                >
                  Take away
                </Button>
              </li>
            ))}
          </ul>
        )}
        <GateForm />
      </div>
    </Panel>
  );
}

function GateForm(): ReactNode {
  const { setGateLimit } = useQueueActions();
  const [gate, setGate] = useState("");
  const [limit, setLimit] = useState("0");
  const unable = useUnable("operator");
  return (
    <Form
      action="Set limit"
      kind="plain"
      unable={unable}
      onSubmit={async () => {
        await setGateLimit({ gate: gate.trim(), limit: Number(limit) });
        tellDone(`${gate} is limited`);
        setGate("");
      }}
    >
      <div className="grid gap-4 sm:grid-cols-[2fr_1fr]">
        <TextField
          label="Whose"
          placeholder="submitter:user:ada"
          hint="submitter:… or key:…"
          spellCheck={false}
          autoCapitalize="none"
          value={gate}
          onChange={(event) => {
            setGate(event.target.value);
          }}
        />
        <TextField
          label="Jobs at once"
          hint="0 pauses"
          inputMode="numeric"
          value={limit}
          onChange={(event) => {
            setLimit(event.target.value);
          }}
        />
      </div>
    </Form>
  );
}
