import { useState, type ReactNode } from "react";
import type { CredentialKind } from "../../../convex/protocol/credential.js";
import { CREDENTIAL_CONCURRENCY_MAX } from "../../../convex/protocol/limits.js";
import { useUnable } from "../../session/me.js";
import { Dialog } from "../../ui/Dialog.js";
import { SelectField, TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { tellDone } from "../../ui/toast.js";
import { useSecretActions } from "./secrets.js";

const KINDS: readonly { value: CredentialKind; title: string }[] = [
  { value: "subscription", title: "Setup token of a subscription" },
  { value: "apiKey", title: "API key, paid by use" },
];

/** Keeps a credential for executors that have no login of their own. */
export function CredentialDialog({ onClose }: { onClose: () => void }): ReactNode {
  const { createCredential } = useSecretActions();
  const [kind, setKind] = useState<CredentialKind>("subscription");
  const [label, setLabel] = useState("");
  const [value, setValue] = useState("");
  const [most, setMost] = useState("");
  const unable = useUnable("administrator");
  return (
    <Dialog title="Add a Claude credential" open onClose={onClose}>
      <Form
        action="Keep it"
        unable={unable}
        onSubmit={async () => {
          const concurrency = most.trim() === "" ? {} : { concurrency: Number(most) };
          await createCredential({
            kind,
            label: label.trim(),
            value: value.trim(),
            ...concurrency,
          });
          tellDone(`${label} is kept`, "Executors without a login of their own use it.");
          onClose();
        }}
      >
        <SelectField
          label="Kind"
          options={KINDS}
          value={kind}
          onChange={(event) => {
            setKind(event.target.value === "apiKey" ? "apiKey" : "subscription");
          }}
        />
        <TextField
          label="Label"
          hint="One of the same label is replaced."
          autoFocus
          spellCheck={false}
          value={label}
          onChange={(event) => {
            setLabel(event.target.value);
          }}
        />
        <TextField
          label="Value"
          hint={
            kind === "subscription"
              ? "What claude setup-token printed. It is sealed and never shown again."
              : "Sealed, and never shown again."
          }
          type="password"
          autoComplete="off"
          value={value}
          onChange={(event) => {
            setValue(event.target.value);
          }}
        />
        <TextField
          label="Attempts at once"
          placeholder="no limit"
          hint={`At most ${CREDENTIAL_CONCURRENCY_MAX}.`}
          inputMode="numeric"
          value={most}
          onChange={(event) => {
            setMost(event.target.value);
          }}
        />
      </Form>
    </Dialog>
  );
}
