import { useState, type ReactNode } from "react";
import { PASSWORD_CHARS_MIN } from "../../../convex/protocol/limits.js";
import { useUnable } from "../../session/me.js";
import { TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Panel } from "../../ui/Page.js";
import { tellDone } from "../../ui/toast.js";
import { useAccountActions } from "./account.js";

/** Another password; the other sessions end with the old one. */
export function Password(): ReactNode {
  const [before, setBefore] = useState("");
  const [after, setAfter] = useState("");
  const { changePassword } = useAccountActions();
  const unable = useUnable("viewer");
  return (
    <Panel title="Password">
      <Form
        action="Change password"
        kind="plain"
        unable={unable}
        onSubmit={async () => {
          await changePassword(before, after);
          setBefore("");
          setAfter("");
          tellDone("Password changed", "Your other sessions have ended.");
        }}
      >
        <TextField
          label="Password now"
          type="password"
          autoComplete="current-password"
          value={before}
          onChange={(event) => {
            setBefore(event.target.value);
          }}
        />
        <TextField
          label="New password"
          hint={`At least ${PASSWORD_CHARS_MIN} characters.`}
          type="password"
          autoComplete="new-password"
          value={after}
          onChange={(event) => {
            setAfter(event.target.value);
          }}
        />
      </Form>
    </Panel>
  );
}
