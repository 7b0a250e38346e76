import { useState, type ReactNode } from "react";
import { useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Panel } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { Time } from "../../ui/Time.js";
import { tellDone, tellOutcome } from "../../ui/toast.js";
import { useMyTokens, useSecretActions } from "./secrets.js";

/** One's own tokens: the jobs one submits are cloned with them. */
export function MyTokens(): ReactNode {
  const tokens = useMyTokens();
  return (
    <Panel title="Your tokens for clones">
      <div className="grid gap-6 md:grid-cols-2">
        {tokens === undefined ? (
          <Loading what="tokens" rows={2} />
        ) : tokens.length === 0 ? (
          <p className="m-0 text-muted">
            None. Jobs you submit are cloned with the token of their repository, or without one.
          </p>
        ) : (
          <ul className="m-0 flex list-none flex-col gap-3 p-0">
            {tokens.map(({ secretId, name, lastFour, setAt }) => (
              <Token key={secretId} name={name} lastFour={lastFour} setAt={setAt} />
            ))}
          </ul>
        )}
        <SetForm />
      </div>
    </Panel>
  );
}

type TokenProps = { name: string; lastFour: string; setAt: number };

function Token({ name, lastFour, setAt }: TokenProps): ReactNode {
  const { removeMine } = useSecretActions();
  const unable = useUnable("operator");
  // `<user name>@<host>`, and no user's name has an @.
  const host = name.slice(name.indexOf("@") + 1);
  return (
    <li className="flex flex-wrap items-center gap-x-3">
      <span className="min-w-0 flex-1">
        <span className="block font-medium">{host}</span>
        <span className="block text-[13px] text-muted">
          ends in {lastFour}, set <Time at={setAt} />
        </span>
      </span>
      <Button
        size="small"
        unable={unable}
        aria-label={`Remove the token for ${host}`}
        onClick={() =>
          void tellOutcome(removeMine({ host }), {
            done: `Your token for ${host} is removed`,
            failed: "It was not removed",
          })
        }
      >
        Remove
      </Button>
    </li>
  );
}

function SetForm(): ReactNode {
  const { setMine } = useSecretActions();
  const [host, setHost] = useState("github.com");
  const [value, setValue] = useState("");
  const unable = useUnable("operator");
  return (
    <Form
      action="Keep token"
      kind="plain"
      unable={unable}
      onSubmit={async () => {
        await setMine({ host: host.trim(), value: value.trim() });
        setValue("");
        tellDone(`Your token for ${host} is kept`);
      }}
    >
      <TextField
        label="Host"
        spellCheck={false}
        autoCapitalize="none"
        value={host}
        onChange={(event) => {
          setHost(event.target.value);
        }}
      />
      <TextField
        label="Token"
        hint="Sealed, and never shown again."
        type="password"
        autoComplete="off"
        value={value}
        onChange={(event) => {
          setValue(event.target.value);
        }}
      />
    </Form>
  );
}
