import { useId, type ReactNode } from "react";
import type { Cadence } from "../../../convex/protocol/queue.js";
import { SelectField, TextField } from "../../ui/Field.js";
import { Time } from "../../ui/Time.js";
import { CRON_EXAMPLES, type Form } from "./form.js";
import { usePreview } from "./schedules.js";

type Props = { form: Form; cadence: Cadence; change: (changes: Partial<Form>) => void };

/** When it fires, and a preview of the next times. */
export function CadenceFields({ form, cadence, change }: Props): ReactNode {
  return (
    <fieldset className="m-0 flex flex-col gap-3 rounded-lg border border-line p-3">
      <legend className="px-1 font-medium">When</legend>
      <SelectField
        label="Kind"
        hideLabel
        options={[
          { value: "cron", title: "By the clock (cron)" },
          { value: "interval", title: "Every so many minutes" },
        ]}
        value={form.kind}
        onChange={(event) => {
          change({ kind: event.target.value === "interval" ? "interval" : "cron" });
        }}
      />
      {form.kind === "cron" ? (
        <Cron form={form} change={change} />
      ) : (
        <TextField
          label="Minutes"
          inputMode="numeric"
          value={form.minutes}
          onChange={(event) => {
            change({ minutes: event.target.value });
          }}
        />
      )}
      <Next cadence={cadence} />
    </fieldset>
  );
}

function Cron({ form, change }: Omit<Props, "cadence">): ReactNode {
  const examples = useId();
  const zones = useId();
  return (
    <div className="grid gap-3 sm:grid-cols-2">
      <TextField
        label="Cron expression"
        hint="minute hour day month weekday"
        spellCheck={false}
        autoCapitalize="none"
        list={examples}
        value={form.expression}
        onChange={(event) => {
          change({ expression: event.target.value });
        }}
      />
      <datalist id={examples}>
        {CRON_EXAMPLES.map(([expression, words]) => (
          <option key={expression} value={expression} label={words} />
        ))}
      </datalist>
      <TextField
        label="Time zone"
        hint="As in Europe/Berlin, or UTC"
        spellCheck={false}
        autoCapitalize="none"
        list={zones}
        value={form.timeZone}
        onChange={(event) => {
          change({ timeZone: event.target.value });
        }}
      />
      <datalist id={zones}>
        {["UTC", ...Intl.supportedValuesOf("timeZone")].map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
    </div>
  );
}

function Next({ cadence }: { cadence: Cadence }): ReactNode {
  const preview = usePreview(cadence);
  return (
    <div role="status" className="min-h-32 text-[13px]">
      {preview === undefined ? (
        <p className="m-0 text-muted">Reckoning the next runs…</p>
      ) : "problem" in preview ? (
        <p className="m-0 text-bad">{preview.problem}</p>
      ) : (
        <>
          <p className="m-0 mb-1 text-muted">The next runs:</p>
          <ol aria-label="The next runs" className="m-0 list-none p-0">
            {preview.times.map((at) => (
              <li key={at} className="flex justify-between gap-4">
                <span className="tabular-nums">{exactIn(at, cadence)}</span>
                <span className="text-muted">
                  <Time at={at} />
                </span>
              </li>
            ))}
          </ol>
        </>
      )}
    </div>
  );
}

/** The time in the schedule's own zone, which the backend has checked. */
function exactIn(at: number, cadence: Cadence): string {
  const zone = cadence.kind === "cron" ? { timeZone: cadence.timeZone } : {};
  return new Intl.DateTimeFormat("en-GB", {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
    ...zone,
  }).format(at);
}
