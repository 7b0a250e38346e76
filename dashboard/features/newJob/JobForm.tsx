import { useNavigate } from "@tanstack/react-router";
import { useId, useState, type ReactNode, type SyntheticEvent } from "react";
import { readError } from "../../lib/errors.js";
import { useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { ConfirmDialog } from "../../ui/Dialog.js";
import { TextField } from "../../ui/Field.js";
import { tellDone } from "../../ui/toast.js";
import { Limits } from "./Limits.js";
import { readForm, worstCase, type Form, type Problems } from "./form.js";
import { useRecentRepositories, useSubmit } from "./newJob.js";
import { PromptFields } from "./PromptFields.js";
import { Rest } from "./Rest.js";

/** From here on a job is asked about once more. */
const DEAR_USD = 50;

export type FieldsProps = {
  form: Form;
  problems: Problems;
  change: (changes: Partial<Form>) => void;
};

/** The form, from the fields down to the job's own page. */
export function JobForm({ initial }: { initial: Form }): ReactNode {
  const [form, setForm] = useState(initial);
  const [problems, setProblems] = useState<Problems>({});
  const [refusal, setRefusal] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const unable = useUnable("operator");
  const send = useSend(setBusy, setRefusal);
  const change = (changes: Partial<Form>): void => {
    setForm((before) => ({ ...before, ...changes }));
    // A field that is being mended is not called wrong meanwhile.
    setProblems((before) => {
      const kept = Object.entries(before).filter(([name]) => !(name in changes));
      return Object.fromEntries(kept);
    });
  };
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    const read = readForm(form);
    setProblems(read.ok ? {} : read.problems);
    if (!read.ok || unable !== undefined || isBusy) return;
    const worst = worstCase(form);
    if (worst === null || worst > DEAR_USD) setAsking(true);
    else void send(form);
  };
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-5">
      <Where form={form} problems={problems} change={change} />
      <PromptFields form={form} problems={problems} change={change} />
      <Limits form={form} problems={problems} change={change} />
      <Rest form={form} problems={problems} change={change} />
      {refusal !== null && (
        <p role="alert" className="m-0 text-bad">
          {refusal}
        </p>
      )}
      <div className="flex gap-2">
        <Button
          kind="primary"
          type="submit"
          unable={unable ?? (isBusy ? "It is being submitted." : undefined)}
        >
          {isBusy ? "Submitting…" : "Submit job"}
        </Button>
      </div>
      <ConfirmDialog
        title="Submit without a tight budget?"
        action="Submit it"
        open={isAsking}
        onClose={() => {
          setAsking(false);
        }}
        onConfirm={() => send(form)}
      >
        {worstCase(form) === null
          ? "No budget is set: only the time limit and the turns end a run that goes astray."
          : `All attempts together may cost up to $${worstCase(form)}.`}
      </ConfirmDialog>
    </form>
  );
}

function useSend(setBusy: (isBusy: boolean) => void, setRefusal: (text: string | null) => void) {
  const submit = useSubmit();
  const navigate = useNavigate();
  return async (form: Form): Promise<void> => {
    const read = readForm(form);
    if (!read.ok) return;
    setBusy(true);
    setRefusal(null);
    try {
      const { jobId } = await submit(read.submission);
      tellDone("Job submitted");
      await navigate({ to: "/jobs/$jobId", params: { jobId } });
    } catch (error) {
      setRefusal(readError(error).message);
      setBusy(false);
    }
  };
}

function Where({ form, problems, change }: FieldsProps): ReactNode {
  const recent = useRecentRepositories();
  const listId = useId();
  return (
    <div className="grid gap-4 sm:grid-cols-[2fr_1fr]">
      <TextField
        label="Repository"
        hint="owner/name, an https address, or a path that this deployment allows"
        autoFocus
        required
        spellCheck={false}
        autoCapitalize="none"
        list={listId}
        value={form.repository}
        problem={problems.repository}
        onChange={(event) => {
          change({ repository: event.target.value });
        }}
      />
      <datalist id={listId}>
        {recent.map((repository) => (
          <option key={repository} value={repository} />
        ))}
      </datalist>
      <TextField
        label="Branch, tag or commit"
        placeholder="default branch"
        spellCheck={false}
        autoCapitalize="none"
        value={form.ref}
        onChange={(event) => {
          change({ ref: event.target.value });
        }}
      />
    </div>
  );
}
