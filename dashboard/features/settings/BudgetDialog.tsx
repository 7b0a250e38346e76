import { useState, type ReactNode } from "react";
import type { BudgetPeriod, BudgetScope } from "../../../convex/protocol/budget.js";
import { useUnable } from "../../session/me.js";
import { Dialog } from "../../ui/Dialog.js";
import { SelectField, TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { tellDone } from "../../ui/toast.js";
import { useBudgetActions } from "./budgets.js";
import { useCredentials, type Credential } from "./secrets.js";

const KINDS = [
  { value: "all", title: "Everybody" },
  { value: "repository", title: "A repository" },
  { value: "user", title: "A person" },
  { value: "credential", title: "A Claude credential" },
] as const;
type Kind = (typeof KINDS)[number]["value"];

const PERIODS: readonly { value: BudgetPeriod; title: string }[] = [
  { value: "day", title: "a day" },
  { value: "month", title: "a month" },
  { value: "total", title: "in all" },
];

/** Sets the budget of a scope and period, in place of the one there is. */
export function BudgetDialog({ onClose }: { onClose: () => void }): ReactNode {
  const { set } = useBudgetActions();
  const credentials = useCredentials()?.filter(({ executorId }) => executorId === undefined) ?? [];
  const [kind, setKind] = useState<Kind>("all");
  const [name, setName] = useState("");
  const [limit, setLimit] = useState("");
  const [period, setPeriod] = useState<BudgetPeriod>("day");
  const [timeZone, setTimeZone] = useState(Intl.DateTimeFormat().resolvedOptions().timeZone);
  const unable = useUnable("administrator");
  return (
    <Dialog title="Set a budget" open onClose={onClose}>
      <Form
        action="Set it"
        unable={unable}
        onSubmit={async () => {
          const scope = scopeOf(kind, name, credentials);
          await set({ scope, period, limitUsd: Number(limit), timeZone: timeZone.trim() });
          tellDone("The budget is set");
          onClose();
        }}
      >
        <SelectField
          label="Whose spending it bounds"
          options={KINDS}
          value={kind}
          onChange={(event) => {
            setKind(KINDS.find(({ value }) => value === event.target.value)?.value ?? "all");
          }}
        />
        <Whose kind={kind} name={name} credentials={credentials} onName={setName} />
        <div className="grid gap-4 sm:grid-cols-3">
          <TextField
            label="Dollars"
            inputMode="decimal"
            value={limit}
            onChange={(event) => {
              setLimit(event.target.value);
            }}
          />
          <SelectField
            label="For"
            options={PERIODS}
            value={period}
            onChange={(event) => {
              setPeriod(PERIODS.find(({ value }) => value === event.target.value)?.value ?? "day");
            }}
          />
          <TextField
            label="Time zone"
            spellCheck={false}
            value={timeZone}
            onChange={(event) => {
              setTimeZone(event.target.value);
            }}
          />
        </div>
      </Form>
    </Dialog>
  );
}

type WhoseProps = {
  kind: Kind;
  name: string;
  credentials: readonly Credential[];
  onName: (name: string) => void;
};

function Whose({ kind, name, credentials, onName }: WhoseProps): ReactNode {
  if (kind === "all") return null;
  if (kind === "credential") {
    return (
      <SelectField
        label="Credential"
        options={[
          { value: "", title: "Choose one" },
          ...credentials.map(({ label }) => ({ value: label, title: label })),
        ]}
        value={name}
        onChange={(event) => {
          onName(event.target.value);
        }}
      />
    );
  }
  return (
    <TextField
      label={kind === "user" ? "Person" : "Repository"}
      placeholder={kind === "user" ? "ada" : "github.com/owner/name"}
      spellCheck={false}
      autoCapitalize="none"
      value={name}
      onChange={(event) => {
        onName(event.target.value);
      }}
    />
  );
}

/** What the form means; throws the sentence that says what is missing. */
function scopeOf(kind: Kind, typed: string, credentials: readonly Credential[]): BudgetScope {
  const name = typed.trim();
  if (kind === "all") return { kind };
  if (kind === "credential") {
    const found = credentials.find(({ label }) => label === name);
    if (found === undefined) throw new Error("Choose a credential.");
    return { kind, credentialId: found.credentialId };
  }
  if (name === "") throw new Error(kind === "user" ? "Name a person." : "Name a repository.");
  if (kind === "user") return { kind, name: name.includes(":") ? name : `user:${name}` };
  const isShort = !name.startsWith("/") && name.split("/").length === 2;
  return { kind, name: isShort ? `github.com/${name}` : name };
}
