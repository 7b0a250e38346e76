import type { ReactNode } from "react";
import { formatMoney } from "../../lib/format.js";
import { TextField } from "../../ui/Field.js";
import { Panel } from "../../ui/Page.js";
import { worstCase, type Form } from "./form.js";
import type { FieldsProps } from "./JobForm.js";
import { useUsualCost } from "./newJob.js";

const FIELDS = [
  ["budget", "Budget ($)", "none"],
  ["minutes", "Time (minutes)", "30"],
  ["turns", "Turns", "no limit"],
  ["attempts", "Attempts", "3"],
] as const satisfies readonly (readonly [keyof Form, string, string])[];

/** What ends a run, and what it may cost in all. */
export function Limits({ form, problems, change }: FieldsProps): ReactNode {
  return (
    <Panel title="Limits of each attempt">
      <div className="grid grid-cols-2 gap-4 sm:grid-cols-4">
        {FIELDS.map(([name, label, placeholder]) => (
          <TextField
            key={name}
            label={label}
            placeholder={placeholder}
            inputMode="decimal"
            value={form[name]}
            problem={problems[name]}
            onChange={(event) => {
              change({ [name]: event.target.value });
            }}
          />
        ))}
      </div>
      <CostNote form={form} />
    </Panel>
  );
}

function CostNote({ form }: { form: Form }): ReactNode {
  const usual = useUsualCost();
  const worst = worstCase(form);
  return (
    <p role="status" className="m-0 mt-3 text-[13px] text-muted">
      {worst === null || Number.isNaN(worst) ? (
        <span className="text-warn">No budget: what it may cost is not limited.</span>
      ) : (
        <>At most {formatMoney(worst)} over all attempts.</>
      )}{" "}
      {usual !== null && <>An attempt cost {formatMoney(usual)} on average in the last 30 days.</>}
    </p>
  );
}
