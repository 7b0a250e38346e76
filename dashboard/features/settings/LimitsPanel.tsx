import { useState, type ReactNode } from "react";
import type { QueueLimits } from "../../../convex/protocol/queue.js";
import { useUnable } from "../../session/me.js";
import { TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Panel } from "../../ui/Page.js";
import { tellDone } from "../../ui/toast.js";
import { useQueueActions } from "./queue.js";

const FIELDS = [
  ["running", "In all", "no limit"],
  ["perSubmitter", "Of one person", "no limit"],
  ["perKey", "Of one repository and branch", "1"],
] as const;

/** How many jobs run at once. Mounted anew when somebody changes them. */
export function LimitsPanel({ limits }: { limits: QueueLimits }): ReactNode {
  const { setLimits } = useQueueActions();
  const [typed, setTyped] = useState({
    running: String(limits.running ?? ""),
    perSubmitter: String(limits.perSubmitter ?? ""),
    perKey: String(limits.perKey),
  });
  const unable = useUnable("operator");
  const read = (text: string): number | null => (text.trim() === "" ? null : Number(text));
  return (
    <Panel title="Jobs at once">
      <Form
        action="Save limits"
        kind="plain"
        unable={unable}
        onSubmit={async () => {
          const { running, perSubmitter, perKey } = typed;
          const most = { running: read(running), perSubmitter: read(perSubmitter) };
          await setLimits({ ...most, perKey: read(perKey) ?? 1 });
          tellDone("Limits saved");
        }}
      >
        <div className="grid gap-4 sm:grid-cols-3">
          {FIELDS.map(([name, label, placeholder]) => (
            <TextField
              key={name}
              label={label}
              placeholder={placeholder}
              inputMode="numeric"
              value={typed[name]}
              onChange={(event) => {
                setTyped({ ...typed, [name]: event.target.value });
              }}
            />
          ))}
        </div>
      </Form>
    </Panel>
  );
}
