import type { ReactNode } from "react";
import type { CredentialStatus } from "../../../convex/protocol/credential.js";
import { formatWord } from "../../lib/format.js";
import type { Tone } from "../../lib/stateLook.js";
import { useUnable } from "../../session/me.js";
import { Badge } from "../../ui/Badge.js";
import { Button } from "../../ui/Button.js";
import { Panel } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { ActionsTh, Table, Td, Th } from "../../ui/Table.js";
import { Nothing, Time } from "../../ui/Time.js";
import { tellOutcome } from "../../ui/toast.js";
import { AddButton } from "./AddButton.js";
import { CredentialDialog } from "./CredentialDialog.js";
import { useCredentials, useSecretActions, type Credential } from "./secrets.js";

const TONES: Record<CredentialStatus, Tone> = {
  ok: "good",
  limited: "warn",
  failing: "bad",
  disabled: "calm",
};
const WINDOW_TONES: Readonly<Record<string, Tone>> = { allowed_warning: "warn", rejected: "bad" };

/** What Claude Code logs in with, and how much of its limits is used up. */
export function Credentials(): ReactNode {
  const credentials = useCredentials();
  const unable = useUnable("administrator");
  return (
    <Panel
      title="Claude credentials"
      actions={
        <AddButton unable={unable} dialog={(onClose) => <CredentialDialog onClose={onClose} />}>
          Add a credential
        </AddButton>
      }
    >
      {credentials === undefined ? (
        <Loading what="credentials" rows={2} />
      ) : credentials.length === 0 ? (
        <p className="m-0 text-muted">
          None yet. Give the deployment a setup token or an API key here, or log Claude in on an
          executor.
        </p>
      ) : (
        <List credentials={credentials} />
      )}
    </Panel>
  );
}

function List({ credentials }: { credentials: readonly Credential[] }): ReactNode {
  return (
    <Table name="Claude credentials">
      <thead>
        <tr>
          <Th>Credential</Th>
          <Th>Status</Th>
          <Th>Windows</Th>
          <Th end>In use</Th>
          <ActionsTh />
        </tr>
      </thead>
      <tbody>
        {credentials.map((credential) => (
          <Row key={credential.credentialId} credential={credential} />
        ))}
      </tbody>
    </Table>
  );
}

function Row({ credential }: { credential: Credential }): ReactNode {
  const { kind, label, executorId, executor, status, limitedUntil, windows } = credential;
  const { inFlight, concurrency, lastFailure } = credential;
  const whose = executorId === undefined ? "of the deployment" : `of ${executor ?? "an executor"}`;
  return (
    <tr>
      <Td className="min-w-44">
        <span className="block font-medium">{label}</span>
        <span className="block text-[13px] text-muted">
          {kind === "apiKey" ? "API key" : "subscription"} {whose}
        </span>
      </Td>
      <Td className="min-w-40">
        <Badge tone={TONES[status]}>{status}</Badge>
        {status === "limited" && limitedUntil !== undefined && (
          <span className="block text-[13px] text-muted">
            until <Time at={limitedUntil} />
          </span>
        )}
        {lastFailure !== undefined && status === "failing" && (
          <span className="block text-[13px] text-bad">{lastFailure.message}</span>
        )}
      </Td>
      <Td className="min-w-48">
        {windows.length === 0 ? <Nothing /> : <Windows windows={windows} />}
      </Td>
      <Td end>
        {inFlight ?? <Nothing />}
        {concurrency !== null && ` of ${concurrency}`}
      </Td>
      <Td end>
        <Turn credential={credential} />
      </Td>
    </tr>
  );
}

function Windows({ windows }: Pick<Credential, "windows">): ReactNode {
  return (
    <ul className="m-0 flex list-none flex-col gap-1 p-0 text-[13px]">
      {windows.map(({ window, status, resetsAt }) => (
        <li key={window} className="flex flex-wrap items-center gap-x-2">
          <Badge tone={WINDOW_TONES[status] ?? "good"}>{window.replaceAll("_", " ")}</Badge>
          <span className="text-muted">
            {formatWord(status.replaceAll("_", " "))}
            {resetsAt !== undefined && (
              <>
                , anew <Time at={resetsAt} />
              </>
            )}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Turn({
  credential: { credentialId, status, label },
}: {
  credential: Credential;
}): ReactNode {
  const { enable, disable } = useSecretActions();
  const unable = useUnable("operator");
  const isOn = status === "ok" || status === "limited";
  const turn = isOn ? disable : enable;
  return (
    <Button
      size="small"
      unable={unable}
      aria-label={`${isOn ? "Disable" : "Enable"} ${label}`}
      onClick={() =>
        void tellOutcome(turn({ credentialId }), {
          done: isOn ? `${label} is used no more` : `${label} may be used again`,
          failed: `${label} was not changed`,
        })
      }
    >
      {isOn ? "Disable" : "Enable"}
    </Button>
  );
}
