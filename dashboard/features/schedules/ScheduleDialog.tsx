import { useState, type ReactNode, type SyntheticEvent } from "react";
import { readError } from "../../lib/errors.js";
import { useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { Dialog } from "../../ui/Dialog.js";
import { SelectField, TextArea, TextField } from "../../ui/Field.js";
import { tellDone } from "../../ui/toast.js";
import { CadenceFields } from "./CadenceFields.js";
import { cadenceOf, formOf, problemsOf, submissionOf, type Form, type Problems } from "./form.js";
import { useScheduleActions, type Schedule } from "./schedules.js";

type Props = { schedule: Schedule | null; onClose: () => void };

/** Makes a schedule, or changes one. */
export function ScheduleDialog({ schedule, onClose }: Props): ReactNode {
  return (
    <Dialog title={schedule === null ? "New schedule" : schedule.name} open onClose={onClose}>
      <ScheduleForm schedule={schedule} onClose={onClose} />
    </Dialog>
  );
}

function ScheduleForm({ schedule, onClose }: Props): ReactNode {
  const [form, setForm] = useState(() => formOf(schedule));
  const [openedAt] = useState(() => Date.now());
  const [problems, setProblems] = useState<Problems>({});
  const [refusal, setRefusal] = useState<string | null>(null);
  const unable = useUnable("operator");
  const { create, update } = useScheduleActions();
  const cadence = cadenceOf(form, schedule, openedAt);
  const change = (changes: Partial<Form>): void => {
    setForm((before) => ({ ...before, ...changes }));
  };
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    const found = problemsOf(form);
    setProblems(found);
    if (unable !== undefined || Object.keys(found).length > 0) return;
    const { name, catchUp } = form;
    const fields = {
      name: name.trim(),
      cadence,
      catchUp,
      submission: submissionOf(form, schedule),
    };
    const sent: Promise<unknown> =
      schedule === null ? create(fields) : update({ scheduleId: schedule.scheduleId, ...fields });
    sent.then(
      () => {
        tellDone(schedule === null ? `${name} is scheduled` : `${name} is changed`);
        onClose();
      },
      (error: unknown) => {
        setRefusal(readError(error).message);
      },
    );
  };
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4">
      <What form={form} problems={problems} change={change} />
      <CadenceFields form={form} cadence={cadence} change={change} />
      <SelectField
        label="Missed while the backend was down"
        options={[
          { value: "skip", title: "is left out" },
          { value: "runOnce", title: "is made up for, once" },
        ]}
        value={form.catchUp}
        onChange={(event) => {
          change({ catchUp: event.target.value === "runOnce" ? "runOnce" : "skip" });
        }}
      />
      {refusal !== null && (
        <p role="alert" className="m-0 text-bad">
          {refusal}
        </p>
      )}
      <Button kind="primary" type="submit" unable={unable} className="self-start">
        {schedule === null ? "Create schedule" : "Save changes"}
      </Button>
    </form>
  );
}

type FieldsProps = { form: Form; problems: Problems; change: (changes: Partial<Form>) => void };

function What({ form, problems, change }: FieldsProps): ReactNode {
  return (
    <>
      <TextField
        label="Name"
        required
        autoFocus
        value={form.name}
        problem={problems.name}
        onChange={(event) => {
          change({ name: event.target.value });
        }}
      />
      <div className="grid gap-4 sm:grid-cols-[2fr_1fr]">
        <TextField
          label="Repository"
          required
          spellCheck={false}
          autoCapitalize="none"
          placeholder="owner/name"
          value={form.repository}
          problem={problems.repository}
          onChange={(event) => {
            change({ repository: event.target.value });
          }}
        />
        <TextField
          label="Branch"
          spellCheck={false}
          autoCapitalize="none"
          placeholder="default"
          value={form.ref}
          onChange={(event) => {
            change({ ref: event.target.value });
          }}
        />
      </div>
      <TextArea
        label="Prompt"
        required
        rows={3}
        value={form.prompt}
        problem={problems.prompt}
        onChange={(event) => {
          change({ prompt: event.target.value });
        }}
      />
    </>
  );
}
