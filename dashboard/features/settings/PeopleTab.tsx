import { useState, type ReactNode } from "react";
import { PASSWORD_CHARS_MIN } from "../../../convex/protocol/limits.js";
import { ROLES, type Role } from "../../../convex/protocol/view.js";
import { useMe, useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { Dialog } from "../../ui/Dialog.js";
import { SelectField, TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Panel } from "../../ui/Page.js";
import { ForbiddenState, Loading } from "../../ui/States.js";
import { tellDone } from "../../ui/toast.js";
import { AddButton } from "./AddButton.js";
import { PAGE_USERS, usePeopleActions, useUsers } from "./people.js";
import { UserTable } from "./UserTable.js";

/** Everybody who may sign in. */
export function PeopleTab(): ReactNode {
  const { role } = useMe();
  if (role === "administrator") return <People />;
  return (
    <ForbiddenState title="Your role may not see the people">
      This needs the role administrator; yours is {role}.
    </ForbiddenState>
  );
}

function People(): ReactNode {
  const { users, status, loadMore } = useUsers();
  const unable = useUnable("administrator");
  return (
    <Panel
      title="People"
      actions={
        <AddButton
          unable={unable}
          dialog={(onClose) => (
            <Dialog title="Add a person" open onClose={onClose}>
              <AddForm onAdded={onClose} />
            </Dialog>
          )}
        >
          Add a person
        </AddButton>
      }
    >
      {status === "LoadingFirstPage" ? <Loading what="people" /> : <UserTable users={users} />}
      {status === "CanLoadMore" && (
        <Button
          size="small"
          className="mt-3"
          onClick={() => {
            loadMore(PAGE_USERS);
          }}
        >
          Show more
        </Button>
      )}
    </Panel>
  );
}

function AddForm({ onAdded }: { onAdded: () => void }): ReactNode {
  const { create } = usePeopleActions();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<Role>("operator");
  const unable = useUnable("administrator");
  return (
    <Form
      action="Add"
      unable={unable}
      onSubmit={async () => {
        await create({ username, password, role });
        tellDone(`${username} may sign in`, "Hand the password over in person.");
        onAdded();
      }}
    >
      <TextField
        label="Name"
        autoFocus
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={username}
        onChange={(event) => {
          setUsername(event.target.value);
        }}
      />
      <TextField
        label="First password"
        hint={`At least ${PASSWORD_CHARS_MIN} characters; it can be changed under You.`}
        type="password"
        autoComplete="new-password"
        value={password}
        onChange={(event) => {
          setPassword(event.target.value);
        }}
      />
      <SelectField
        label="Role"
        hint="Viewers see, operators act, administrators keep people and secrets."
        options={ROLES.map((one) => ({ value: one, title: one }))}
        value={role}
        onChange={(event) => {
          setRole(ROLES.find((one) => one === event.target.value) ?? "viewer");
        }}
      />
    </Form>
  );
}
