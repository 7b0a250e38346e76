import { useState, type ReactNode } from "react";
import { readError } from "../../lib/errors.js";
import { plural } from "../../lib/format.js";
import { useUnable } from "../../session/me.js";
import { Badge } from "../../ui/Badge.js";
import { Button } from "../../ui/Button.js";
import { Command } from "../../ui/Command.js";
import { TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Panel } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { tellDone, tellFailed } from "../../ui/toast.js";
import { useAccountActions, useSecondFactor } from "./account.js";

/** One-time codes at sign-in: on, off, and on the way between. */
export function SecondFactor(): ReactNode {
  const standing = useSecondFactor();
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  return (
    <Panel
      title="Second factor"
      actions={
        standing !== undefined && (
          <Badge tone={standing.isOn ? "good" : "calm"}>{standing.isOn ? "On" : "Off"}</Badge>
        )
      }
    >
      {standing === undefined ? (
        <Loading what="the second factor" rows={2} />
      ) : codes !== null ? (
        <RecoveryCodes
          codes={codes}
          onKept={() => {
            setCodes(null);
          }}
        />
      ) : standing.isOn ? (
        <TurnOff left={standing.recoveryCodesLeft} />
      ) : (
        <TurnOn onCodes={setCodes} />
      )}
    </Panel>
  );
}

function TurnOn({ onCodes }: { onCodes: (codes: readonly string[]) => void }): ReactNode {
  const { begin, confirm } = useAccountActions();
  const [made, setMade] = useState<{ seed: string; uri: string } | null>(null);
  const unable = useUnable("viewer");
  const start = (): void => {
    begin({}).then(setMade, (error: unknown) => {
      tellFailed("One-time codes were not begun", readError(error).message);
    });
  };
  if (made === null) {
    return (
      <>
        <p className="m-0 mb-3 text-muted">
          With an authenticator app, a password alone is not enough to sign in as you.
        </p>
        <Button unable={unable} onClick={start}>
          Set up one-time codes
        </Button>
      </>
    );
  }
  return (
    <div className="flex flex-col gap-3">
      <p className="m-0">
        Enter this seed in the authenticator app, or{" "}
        <a href={made.uri} className="text-accent underline">
          open it there
        </a>
        . It is shown this once.
      </p>
      <Command name="the seed" text={made.seed} />
      <CodeForm
        action="Turn on"
        onCode={async (code) => {
          onCodes(await confirm(code));
          tellDone("One-time codes are on");
        }}
      />
    </div>
  );
}

function RecoveryCodes({
  codes,
  onKept,
}: {
  codes: readonly string[];
  onKept: () => void;
}): ReactNode {
  return (
    <div className="flex flex-col gap-3">
      <p className="m-0">
        Keep these recovery codes somewhere safe: each stands in once for the app, should it be
        lost. They are not shown again.
      </p>
      <Command name="the recovery codes" text={codes.join("\n")} />
      <Button className="self-start" onClick={onKept}>
        I have kept them
      </Button>
    </div>
  );
}

function TurnOff({ left }: { left: number }): ReactNode {
  const { turnOff } = useAccountActions();
  return (
    <div className="flex flex-col gap-3">
      <p className="m-0 text-muted">
        Signing in asks for a code. {plural(left, "recovery code is", "recovery codes are")} left.
      </p>
      <CodeForm
        action="Turn off"
        onCode={async (code) => {
          await turnOff(code);
          tellDone("One-time codes are off");
        }}
      />
    </div>
  );
}

type CodeProps = { action: string; onCode: (code: string) => Promise<void> };

function CodeForm({ action, onCode }: CodeProps): ReactNode {
  const [code, setCode] = useState("");
  const unable = useUnable("viewer");
  return (
    <Form kind="plain" action={action} unable={unable} onSubmit={() => onCode(code.trim())}>
      <TextField
        label="Code of the app"
        inputMode="numeric"
        autoComplete="one-time-code"
        value={code}
        onChange={(event) => {
          setCode(event.target.value);
        }}
      />
    </Form>
  );
}
