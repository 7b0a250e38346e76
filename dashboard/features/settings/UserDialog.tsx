import { useState, type ReactNode } from "react";
import { PASSWORD_CHARS_MIN } from "../../../convex/protocol/limits.js";
import type { UserView } from "../../../convex/protocol/identity.js";
import { useUnable } from "../../session/me.js";
import { ConfirmDialog, Dialog } from "../../ui/Dialog.js";
import { TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { tellDone, tellOutcome } from "../../ui/toast.js";
import { usePeopleActions } from "./people.js";

export type Asked = { kind: "password" | "totp" | "sessions" | "disable"; user: UserView };
type Props = { asked: Asked; onClose: () => void };

const WORDS = {
  totp: {
    title: "Turn one-time codes off for",
    action: "Turn them off",
    text: "The password alone signs in then. Sessions and API keys end.",
  },
  sessions: {
    title: "End all sessions of",
    action: "End them",
    text: "Every browser has to sign in anew. API keys stay.",
  },
  disable: {
    title: "Disable",
    action: "Disable",
    text: "Sessions and API keys stop working at once. Jobs that were submitted go on. It can be undone.",
  },
} as const;

/** What is asked before something is done to a person's account. */
export function UserDialog({ asked, onClose }: Props): ReactNode {
  const { kind, user } = asked;
  const { reset, endSessions, setDisabled } = usePeopleActions();
  if (kind === "password") return <PasswordDialog user={user} onClose={onClose} />;
  const { username, userId } = user;
  const { title, action, text } = WORDS[kind];
  const act = (): Promise<unknown> => {
    switch (kind) {
      case "totp":
        return reset({ userId, clearTotp: true });
      case "sessions":
        return endSessions({ userId });
      case "disable":
        return setDisabled({ userId, disabled: true });
    }
  };
  return (
    <ConfirmDialog
      title={`${title} ${username}?`}
      action={action}
      open
      onClose={onClose}
      onConfirm={() =>
        tellOutcome(act(), { done: `Done for ${username}`, failed: "It was not done" })
      }
    >
      {text}
    </ConfirmDialog>
  );
}

function PasswordDialog({ user, onClose }: { user: UserView; onClose: () => void }): ReactNode {
  const { reset } = usePeopleActions();
  const [password, setPassword] = useState("");
  const unable = useUnable("administrator");
  const { username, userId } = user;
  return (
    <Dialog title={`Another password for ${username}`} open onClose={onClose}>
      <Form
        action="Set it"
        unable={unable}
        onSubmit={async () => {
          await reset({ userId, password });
          tellDone(`${username} has another password`, "Sessions and API keys have ended.");
          onClose();
        }}
      >
        <TextField
          label="New password"
          hint={`At least ${PASSWORD_CHARS_MIN} characters. Sessions, API keys and a lock end with it.`}
          type="password"
          autoFocus
          autoComplete="new-password"
          value={password}
          onChange={(event) => {
            setPassword(event.target.value);
          }}
        />
      </Form>
    </Dialog>
  );
}
