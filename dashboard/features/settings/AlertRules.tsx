import { useState, type ReactNode } from "react";
import { RULE_NAMES, type AlertSettings, type RuleName } from "../../../convex/protocol/alerts.js";
import { formatWord } from "../../lib/format.js";
import { useMe, useUnable } from "../../session/me.js";
import { CheckField, TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Panel } from "../../ui/Page.js";
import { tellDone } from "../../ui/toast.js";
import { useAlertActions } from "./alerts.js";

const MINUTE_MS = 60_000;
const FIELDS = [
  ["spend", "Spend of a day ($)", "no limit"],
  ["error", "Failed attempts (%)", "of a quarter of an hour"],
  ["reclaims", "Reclaimed attempts", "of a quarter of an hour"],
  ["slow", "Oldest waiting (minutes)", ""],
  ["disk", "Free disk below (%)", ""],
] as const;

/** From when on something counts as wrong. Mounted anew when somebody changes it. */
export function AlertRules({ settings }: { settings: AlertSettings }): ReactNode {
  const { username } = useMe();
  const { configure } = useAlertActions(username);
  const [typed, setTyped] = useState(() => textOf(settings));
  const [muted, setMuted] = useState<readonly RuleName[]>(settings.muted);
  const unable = useUnable("administrator");
  return (
    <Panel title="What raises an alert">
      <Form
        action="Save rules"
        kind="plain"
        unable={unable}
        onSubmit={async () => {
          await configure({ ...settingsOf(typed), muted: [...muted] });
          tellDone("Rules saved");
        }}
      >
        <div className="grid grid-cols-2 gap-4 md:grid-cols-5">
          {FIELDS.map(([name, label, placeholder]) => (
            <TextField
              key={name}
              label={label}
              placeholder={placeholder}
              inputMode="decimal"
              value={typed[name]}
              onChange={(event) => {
                setTyped({ ...typed, [name]: event.target.value });
              }}
            />
          ))}
        </div>
        <details>
          <summary className="cursor-pointer text-muted">
            Rules that raise nothing ({muted.length})
          </summary>
          <div className="mt-3 grid gap-2 sm:grid-cols-2 lg:grid-cols-4">
            {RULE_NAMES.map((rule) => (
              <CheckField
                key={rule}
                label={formatWord(rule)}
                checked={muted.includes(rule)}
                onChange={(event) => {
                  const rest = muted.filter((one) => one !== rule);
                  setMuted(event.target.checked ? [...rest, rule] : rest);
                }}
              />
            ))}
          </div>
        </details>
      </Form>
    </Panel>
  );
}

type Typed = Record<(typeof FIELDS)[number][0], string>;

/** Shares as percent, times as minutes. */
function textOf(settings: AlertSettings): Typed {
  const { spendDailyUsd, errorShare, reclaims, slowMs, diskShare } = settings;
  return {
    spend: String(spendDailyUsd ?? ""),
    error: String(Math.round(errorShare * 1_000) / 10),
    reclaims: String(reclaims),
    slow: String(slowMs / MINUTE_MS),
    disk: String(Math.round(diskShare * 1_000) / 10),
  };
}

function settingsOf({ spend, error, reclaims, slow, disk }: Typed): Omit<AlertSettings, "muted"> {
  return {
    spendDailyUsd: spend.trim() === "" ? null : Number(spend),
    errorShare: Number(error) / 100,
    reclaims: Number(reclaims),
    slowMs: Number(slow) * MINUTE_MS,
    diskShare: Number(disk) / 100,
  };
}
