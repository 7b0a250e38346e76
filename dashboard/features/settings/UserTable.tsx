import { Ban, KeyRound, LogOut, MoreHorizontal, ShieldOff } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { UserView } from "../../../convex/protocol/identity.js";
import { ROLES } from "../../../convex/protocol/view.js";
import { useMe, useUnable } from "../../session/me.js";
import { Badge } from "../../ui/Badge.js";
import { IconButton } from "../../ui/Button.js";
import { SelectField } from "../../ui/Field.js";
import { Menu } from "../../ui/Menu.js";
import { ActionsTh, Table, Td, Th } from "../../ui/Table.js";
import { Time } from "../../ui/Time.js";
import { tellOutcome } from "../../ui/toast.js";
import { usePeopleActions } from "./people.js";
import { UserDialog, type Asked } from "./UserDialog.js";

/** People with their roles, and what can be done for or to each. */
export function UserTable({ users }: { users: readonly UserView[] }): ReactNode {
  const [asked, setAsked] = useState<Asked | null>(null);
  return (
    <>
      <Table name="People">
        <thead>
          <tr>
            <Th>Name</Th>
            <Th>Role</Th>
            <Th>Second factor</Th>
            <Th end>Since</Th>
            <ActionsTh />
          </tr>
        </thead>
        <tbody>
          {users.map((user) => (
            <Row key={user.userId} user={user} onAsk={setAsked} />
          ))}
        </tbody>
      </Table>
      {asked !== null && (
        <UserDialog
          asked={asked}
          onClose={() => {
            setAsked(null);
          }}
        />
      )}
    </>
  );
}

type RowProps = { user: UserView; onAsk: (asked: Asked) => void };

function Row({ user, onAsk }: RowProps): ReactNode {
  const { username, role, disabled, hasTotp, lockedUntil, createdAt, userId } = user;
  const { setRole } = usePeopleActions();
  const unable = useUnable("administrator");
  const me = useMe();
  return (
    <tr>
      <Td className="min-w-40">
        <span className="flex flex-wrap items-center gap-2 font-medium">
          {username}
          {username === me.username && <Badge tone="live">You</Badge>}
          {disabled && <Badge tone="bad">Disabled</Badge>}
          {lockedUntil !== null && <Badge tone="warn">Locked</Badge>}
        </span>
      </Td>
      <Td className="min-w-44">
        <SelectField
          label={`Role of ${username}`}
          hideLabel
          options={ROLES.map((one) => ({ value: one, title: one }))}
          value={role}
          disabled={unable !== undefined}
          title={unable}
          onChange={(event) => {
            const next = ROLES.find((one) => one === event.target.value) ?? role;
            void tellOutcome(setRole({ userId, role: next }), {
              done: `${username} is ${next} now`,
              failed: `${username} stays ${role}`,
            });
          }}
        />
      </Td>
      <Td>{hasTotp ? <Badge tone="good">On</Badge> : <Badge>Off</Badge>}</Td>
      <Td end>
        <Time at={createdAt} />
      </Td>
      <Td end>
        <UserMenu user={user} onAsk={onAsk} />
      </Td>
    </tr>
  );
}

function UserMenu({ user, onAsk }: RowProps): ReactNode {
  const { username, disabled, hasTotp, userId } = user;
  const { setDisabled } = usePeopleActions();
  const unable = useUnable("administrator");
  const ask = (kind: Asked["kind"]) => (): void => {
    onAsk({ kind, user });
  };
  return (
    <Menu
      trigger={
        <IconButton name={`More for ${username}`} icon={<MoreHorizontal size={16} aria-hidden />} />
      }
      entries={[
        {
          ...{ title: "Set another password…", icon: <KeyRound size={15} aria-hidden />, unable },
          onChoose: ask("password"),
        },
        {
          ...{ title: "Turn one-time codes off…", icon: <ShieldOff size={15} aria-hidden /> },
          unable: unable ?? (hasTotp ? undefined : "They are off."),
          onChoose: ask("totp"),
        },
        {
          ...{ title: "End all sessions…", icon: <LogOut size={15} aria-hidden />, unable },
          onChoose: ask("sessions"),
        },
        disabled
          ? {
              ...{ title: "Enable", icon: <Ban size={15} aria-hidden />, unable },
              onChoose: () =>
                void tellOutcome(setDisabled({ userId, disabled: false }), {
                  done: `${username} may sign in again`,
                  failed: `${username} stays disabled`,
                }),
            }
          : {
              ...{ title: "Disable…", icon: <Ban size={15} aria-hidden />, unable },
              onChoose: ask("disable"),
            },
      ]}
    />
  );
}
