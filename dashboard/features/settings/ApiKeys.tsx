import { useState, type ReactNode } from "react";
import type { ApiKeyView } from "../../../convex/protocol/identity.js";
import { ROLES } from "../../../convex/protocol/view.js";
import { useMe, useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { Command } from "../../ui/Command.js";
import { ConfirmDialog, Dialog } from "../../ui/Dialog.js";
import { SelectField, TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Panel } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { ActionsTh, Table, Td, Th } from "../../ui/Table.js";
import { Time } from "../../ui/Time.js";
import { tellOutcome } from "../../ui/toast.js";
import { AddButton } from "./AddButton.js";
import { useAccountActions, useApiKeys } from "./account.js";

const DAY_MS = 86_400_000;
const LIVES = [
  { value: "7", title: "a week" },
  { value: "30", title: "30 days" },
  { value: "90", title: "90 days" },
  { value: "365", title: "a year" },
];

/** Keys with which programs act for one: the command line, CI. */
export function ApiKeys(): ReactNode {
  const keys = useApiKeys();
  const unable = useUnable("viewer");
  return (
    <Panel
      title="API keys"
      actions={
        <AddButton unable={unable} dialog={(onClose) => <NewKey onClose={onClose} />}>
          New key
        </AddButton>
      }
    >
      {keys === undefined ? (
        <Loading what="API keys" rows={2} />
      ) : keys.length === 0 ? (
        <p className="m-0 text-muted">No key. The command line and CI act for you with one.</p>
      ) : (
        <Keys keys={keys} />
      )}
    </Panel>
  );
}

function Keys({ keys }: { keys: readonly ApiKeyView[] }): ReactNode {
  const { revokeKey } = useAccountActions();
  const [doomed, setDoomed] = useState<ApiKeyView | null>(null);
  const unable = useUnable("viewer");
  return (
    <>
      <Table name="API keys">
        <thead>
          <tr>
            <Th>Name</Th>
            <Th>Role</Th>
            <Th>Ends in</Th>
            <Th end>Made</Th>
            <Th end>Good until</Th>
            <ActionsTh />
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.apiKeyId}>
              <Td className="font-medium">{key.name}</Td>
              <Td>{key.role}</Td>
              <Td className="font-mono text-[13px]">…{key.lastFour}</Td>
              <Td end>
                <Time at={key.createdAt} />
              </Td>
              <Td end>
                <Time at={key.expiresAt} />
              </Td>
              <Td end>
                <Button
                  size="small"
                  unable={unable}
                  aria-label={`Revoke ${key.name}`}
                  onClick={() => {
                    setDoomed(key);
                  }}
                >
                  Revoke
                </Button>
              </Td>
            </tr>
          ))}
        </tbody>
      </Table>
      {doomed !== null && (
        <ConfirmDialog
          title={`Revoke ${doomed.name}?`}
          action="Revoke it"
          open
          onClose={() => {
            setDoomed(null);
          }}
          onConfirm={() =>
            tellOutcome(revokeKey({ apiKeyId: doomed.apiKeyId }), {
              done: `${doomed.name} is revoked`,
              failed: `${doomed.name} was not revoked`,
            })
          }
        >
          Whatever uses it is refused from now on. It cannot be brought back.
        </ConfirmDialog>
      )}
    </>
  );
}

function NewKey({ onClose }: { onClose: () => void }): ReactNode {
  const { createKey } = useAccountActions();
  const { role: own } = useMe();
  const [name, setName] = useState("");
  const [role, setRole] = useState(own);
  const [days, setDays] = useState("90");
  const [made, setMade] = useState<string | null>(null);
  const unable = useUnable("viewer");
  const roles = ROLES.slice(0, ROLES.indexOf(own) + 1);
  return (
    <Dialog title="New API key" open onClose={onClose}>
      {made !== null ? (
        <div className="flex flex-col gap-3">
          <p className="m-0">Keep it now: it is shown this once.</p>
          <Command name="the key" text={made} />
          <Button kind="primary" className="self-start" onClick={onClose}>
            I have kept it
          </Button>
        </div>
      ) : (
        <Form
          action="Make key"
          unable={unable}
          onSubmit={async () => {
            const lifeMs = Number(days) * DAY_MS;
            setMade((await createKey({ name: name.trim(), role, lifeMs })).key);
          }}
        >
          <TextField
            label="Name"
            hint="What uses it."
            autoFocus
            value={name}
            onChange={(event) => {
              setName(event.target.value);
            }}
          />
          <SelectField
            label="It may do what this role may"
            options={roles.map((one) => ({ value: one, title: one }))}
            value={role}
            onChange={(event) => {
              setRole(roles.find((one) => one === event.target.value) ?? own);
            }}
          />
          <SelectField
            label="Good for"
            options={LIVES}
            value={days}
            onChange={(event) => {
              setDays(event.target.value);
            }}
          />
        </Form>
      )}
    </Dialog>
  );
}
