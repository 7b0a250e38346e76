import { useState, type ReactNode } from "react";
import { useUnable } from "../../session/me.js";
import { Dialog } from "../../ui/Dialog.js";
import { SelectField, TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { tellDone } from "../../ui/toast.js";
import { useSecretActions } from "./secrets.js";

/** Claude credentials have a form of their own. */
const KINDS = [
  { value: "repositoryToken", title: "Clones of a repository", name: "owner/repository" },
  { value: "userToken", title: "Clones for a person's jobs", name: "user@host" },
  { value: "webhook", title: "What a host signs its webhooks with", name: "a label" },
] as const;

/** Keeps a secret, in place of the one of the same kind and name. */
export function SecretDialog({ onClose }: { onClose: () => void }): ReactNode {
  const { set } = useSecretActions();
  const [kind, setKind] = useState<(typeof KINDS)[number]>(KINDS[0]);
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const unable = useUnable("administrator");
  return (
    <Dialog title="Set a secret" open onClose={onClose}>
      <Form
        action="Keep it"
        unable={unable}
        onSubmit={async () => {
          await set({ kind: kind.value, name: name.trim(), value });
          tellDone(`${name} is kept`);
          onClose();
        }}
      >
        <SelectField
          label="For"
          options={KINDS}
          value={kind.value}
          onChange={(event) => {
            setKind(KINDS.find((one) => one.value === event.target.value) ?? KINDS[0]);
          }}
        />
        <TextField
          label="Name"
          placeholder={kind.name}
          hint="One of the same kind and name is replaced."
          spellCheck={false}
          autoCapitalize="none"
          value={name}
          onChange={(event) => {
            setName(event.target.value);
          }}
        />
        <TextField
          label="Value"
          hint="Sealed, and never shown again."
          type="password"
          autoComplete="off"
          value={value}
          onChange={(event) => {
            setValue(event.target.value);
          }}
        />
      </Form>
    </Dialog>
  );
}
