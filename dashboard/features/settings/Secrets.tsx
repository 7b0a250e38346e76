import { MoreHorizontal, Power, Trash2 } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { SecretKind, SecretView } from "../../../convex/protocol/secret.js";
import { formatActor } from "../../lib/format.js";
import { useUnable } from "../../session/me.js";
import { Badge } from "../../ui/Badge.js";
import { IconButton } from "../../ui/Button.js";
import { ConfirmDialog } from "../../ui/Dialog.js";
import { Menu } from "../../ui/Menu.js";
import { Panel } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { ActionsTh, Table, Td, Th } from "../../ui/Table.js";
import { Time } from "../../ui/Time.js";
import { tellOutcome } from "../../ui/toast.js";
import { AddButton } from "./AddButton.js";
import { SecretDialog } from "./SecretDialog.js";
import { useSecretActions, useSecrets } from "./secrets.js";

const KINDS: Record<SecretKind, string> = {
  repositoryToken: "clones of a repository",
  userToken: "clones for a person's jobs",
  webhook: "webhooks",
  claude: "Claude",
};

/** All secrets of the deployment, by their last four characters. */
export function Secrets(): ReactNode {
  const secrets = useSecrets();
  const [doomed, setDoomed] = useState<SecretView | null>(null);
  const unable = useUnable("administrator");
  return (
    <Panel
      title="Secrets of the deployment"
      actions={
        <AddButton unable={unable} dialog={(onClose) => <SecretDialog onClose={onClose} />}>
          Set a secret
        </AddButton>
      }
    >
      {secrets === undefined ? (
        <Loading what="secrets" rows={2} />
      ) : secrets.length === 0 ? (
        <p className="m-0 text-muted">None is kept. Values are sealed; nobody is shown one.</p>
      ) : (
        <List secrets={secrets} onRemove={setDoomed} />
      )}
      <RemoveDialog
        secret={doomed}
        onClose={() => {
          setDoomed(null);
        }}
      />
    </Panel>
  );
}

type OnRemove = (secret: SecretView) => void;

function List({
  secrets,
  onRemove,
}: {
  secrets: readonly SecretView[];
  onRemove: OnRemove;
}): ReactNode {
  return (
    <Table name="Secrets of the deployment">
      <thead>
        <tr>
          <Th>For</Th>
          <Th>Name</Th>
          <Th>Ends in</Th>
          <Th>Set by</Th>
          <Th end>Set</Th>
          <ActionsTh />
        </tr>
      </thead>
      <tbody>
        {secrets.map((secret) => (
          <tr key={secret.secretId}>
            <Td className="whitespace-nowrap">{KINDS[secret.kind]}</Td>
            <Td className="min-w-40 font-medium break-all">
              {secret.name} {secret.status === "disabled" && <Badge>Disabled</Badge>}
            </Td>
            <Td className="font-mono text-[13px]">…{secret.lastFour}</Td>
            <Td>{formatActor(secret.setBy)}</Td>
            <Td end>
              <Time at={secret.setAt} />
            </Td>
            <Td end>
              <SecretMenu secret={secret} onRemove={onRemove} />
            </Td>
          </tr>
        ))}
      </tbody>
    </Table>
  );
}

function SecretMenu({ secret, onRemove }: { secret: SecretView; onRemove: OnRemove }): ReactNode {
  const { setStatus } = useSecretActions();
  const unable = useUnable("administrator");
  const { secretId, name, status } = secret;
  const next = status === "active" ? "disabled" : "active";
  return (
    <Menu
      trigger={
        <IconButton name={`More for ${name}`} icon={<MoreHorizontal size={16} aria-hidden />} />
      }
      entries={[
        {
          title: status === "active" ? "Disable" : "Enable",
          icon: <Power size={15} aria-hidden />,
          unable,
          onChoose: () =>
            void tellOutcome(setStatus({ secretId, status: next }), {
              done: `${name} is ${next}`,
              failed: `${name} was not changed`,
            }),
        },
        {
          title: "Remove…",
          icon: <Trash2 size={15} aria-hidden />,
          unable,
          onChoose: () => {
            onRemove(secret);
          },
        },
      ]}
    />
  );
}

function RemoveDialog({
  secret,
  onClose,
}: {
  secret: SecretView | null;
  onClose: () => void;
}): ReactNode {
  const { remove } = useSecretActions();
  if (secret === null) return null;
  const { secretId, name } = secret;
  return (
    <ConfirmDialog
      title={`Remove ${name}?`}
      action="Remove it"
      open
      onClose={onClose}
      onConfirm={() =>
        tellOutcome(remove({ secretId }), {
          done: `${name} is removed`,
          failed: `${name} was not removed`,
        })
      }
    >
      Its value is deleted. Attempts that have been given it go on; later ones do without it.
    </ConfirmDialog>
  );
}
