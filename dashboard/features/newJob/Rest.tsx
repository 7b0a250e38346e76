import type { ReactNode } from "react";
import { PRIORITY_MAX } from "../../../convex/protocol/limits.js";
import { CopyButton } from "../../ui/CopyButton.js";
import { CheckField, SelectField, TextField } from "../../ui/Field.js";
import { readForm, type Form } from "./form.js";
import type { FieldsProps } from "./JobForm.js";

const PRIORITIES = Array.from({ length: PRIORITY_MAX + 1 }, (_, n) => ({
  value: String(n),
  title: n === 0 ? "0, the most urgent" : n === 5 ? "5, usual" : String(n),
}));

/** What most jobs leave as it is. */
export function Rest({ form, problems, change }: FieldsProps): ReactNode {
  return (
    <details className="rounded-lg border border-line">
      <summary className="cursor-pointer px-4 py-2.5 font-semibold">
        Model, priority, time, labels, approvals
      </summary>
      <div className="grid gap-4 px-4 pb-4 sm:grid-cols-2">
        <TextField
          label="Model"
          placeholder="the CLI's usual one"
          spellCheck={false}
          value={form.model}
          onChange={(event) => {
            change({ model: event.target.value });
          }}
        />
        <SelectField
          label="Priority"
          options={PRIORITIES}
          value={form.priority}
          onChange={(event) => {
            change({ priority: event.target.value });
          }}
        />
        <TextField
          label="Not before"
          hint="In your time zone; empty is at once."
          type="datetime-local"
          value={form.runAt}
          problem={problems.runAt}
          onChange={(event) => {
            change({ runAt: event.target.value });
          }}
        />
        <TextField
          label="Labels an executor must carry"
          placeholder="gpu linux"
          spellCheck={false}
          value={form.labels}
          onChange={(event) => {
            change({ labels: event.target.value });
          }}
        />
        <Ask form={form} change={change} />
        <CheckField
          label="Hold it"
          hint="Nobody runs it before it is released."
          checked={form.hold}
          onChange={(event) => {
            change({ hold: event.target.checked });
          }}
        />
        <CheckField
          label="Beside other jobs of its branch"
          hint="Otherwise jobs of one repository and branch run one after the other."
          checked={form.beside}
          onChange={(event) => {
            change({ beside: event.target.checked });
          }}
        />
        <AsArguments form={form} />
      </div>
    </details>
  );
}

/** Which calls of tools a person must allow. */
function Ask({ form, change }: Pick<FieldsProps, "form" | "change">): ReactNode {
  return (
    <TextField
      label="Calls that wait for a person"
      hint="Each waits for an answer for a day, then it is refused."
      placeholder="Write, Bash(git push*)"
      spellCheck={false}
      value={form.ask}
      onChange={(event) => {
        change({ ask: event.target.value });
      }}
    />
  );
}

/** The same submission for programs. */
function AsArguments({ form }: { form: Form }): ReactNode {
  const read = readForm(form);
  if (!read.ok) return null;
  const text = JSON.stringify(read.submission, null, 2);
  return (
    <figure className="m-0 sm:col-span-2">
      <figcaption className="flex items-center gap-1 text-[13px] text-muted">
        The same as arguments of jobs:submit <CopyButton name="Copy the arguments" text={text} />
      </figcaption>
      <pre
        tabIndex={0}
        className="m-0 max-h-56 overflow-auto rounded-md border border-line bg-raised p-3 font-mono text-[12px]"
      >
        {text}
      </pre>
    </figure>
  );
}
