import type { ReactNode } from "react";
import { formatWord } from "../../lib/format.js";
import { PRESENCE_LOOK, type Tone } from "../../lib/stateLook.js";
import { Badge, LookBadge } from "../../ui/Badge.js";
import { Bytes } from "../../ui/Figures.js";
import { Meter } from "../../ui/Meter.js";
import { Facts } from "../../ui/Page.js";
import { Nothing, Time } from "../../ui/Time.js";
import { ExecutorActions } from "./ExecutorActions.js";
import type { ExecutorRow } from "./executors.js";

/** What to do about a reason for which an executor gets no work. */
const MENDING: Readonly<Record<string, string>> = {
  cliAuth: "Log Claude in again as the executor's user on that machine, then resume it.",
  cliMissing: "Install the Claude CLI on that machine, then resume it.",
  diskFull: "Free room on its disk, then resume it.",
};

/** One executor: how it is, what it is, and what can be done to it. */
export function ExecutorCard({ row }: { row: ExecutorRow }): ReactNode {
  const { name, presence, draining, slots, freeSlots, unhealthy } = row;
  return (
    <li className="min-w-0">
      <section
        aria-label={name}
        className="flex h-full flex-col gap-3 rounded-lg border border-line p-4"
      >
        <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
          <h2 className="m-0 min-w-0 text-[15px] font-semibold break-words">{name}</h2>
          <LookBadge look={PRESENCE_LOOK[presence]} />
          {draining && <Badge tone="warn">Draining</Badge>}
          {unhealthy !== null && <Badge tone="bad">{formatWord(unhealthy.reason)}</Badge>}
          <span className="flex-1" />
          {presence === "online" && (
            <Meter name="Slots in use" used={Math.max(0, slots - freeSlots)} all={slots} />
          )}
        </div>
        {unhealthy !== null && (
          <p className="m-0 rounded-md bg-bad-soft px-3 py-2 text-bad">
            Gets no work since <Time at={unhealthy.since} />.{" "}
            {MENDING[unhealthy.reason] ?? "See the runbook, then resume it."}
          </p>
        )}
        <div className="flex-1">
          <Facts rows={factsOf(row)} />
        </div>
        <ExecutorActions row={row} />
      </section>
    </li>
  );
}

function factsOf(row: ExecutorRow): [string, ReactNode][] {
  const { lease, version, cliVersion, labels, presence, presenceSince } = row;
  const heartbeat: [string, ReactNode] =
    lease === undefined
      ? [presence === "enrolled" ? "Enrolled" : "Last change", <Time key="t" at={presenceSince} />]
      : ["Last heartbeat", <Time key="t" at={lease.renewedAt} />];
  return [
    heartbeat,
    ["Credential", <Credential key="c" row={row} />],
    ["Version", version === "" ? <Nothing /> : `${version}, Claude CLI ${cliVersion}`],
    ["Labels", labels.length === 0 ? <Nothing /> : <Labels labels={labels} />],
    ...(lease?.disk === undefined
      ? []
      : [["Disk", <Disk key="d" disk={lease.disk} />] as [string, ReactNode]]),
  ];
}

function Labels({ labels }: { labels: readonly string[] }): ReactNode {
  return (
    <span className="flex flex-wrap gap-1">
      {labels.map((label) => (
        <Badge key={label}>{label}</Badge>
      ))}
    </span>
  );
}

function Disk({ disk }: { disk: { freeBytes: number; totalBytes: number } }): ReactNode {
  return (
    <>
      <Bytes bytes={disk.freeBytes} /> free of <Bytes bytes={disk.totalBytes} />
    </>
  );
}

const CREDENTIAL_TONE = {
  ok: "good",
  limited: "warn",
  failing: "bad",
  disabled: "calm",
} as const satisfies Record<string, Tone>;

/** Its own login and how that is; without one it is given the deployment's. */
function Credential({
  row: { credential, isLoginBlocked, presence },
}: {
  row: ExecutorRow;
}): ReactNode {
  if (credential === undefined) {
    return presence === "enrolled" ? <Nothing /> : "asks the deployment for one";
  }
  const { status, limitedUntil, kind, lastFailure } = credential;
  return (
    <span className="flex flex-wrap items-center gap-x-2">
      {kind === "apiKey" ? "its own API key" : "its own login"}
      <Badge tone={CREDENTIAL_TONE[status]}>{status}</Badge>
      {limitedUntil !== undefined && status === "limited" && (
        <span>
          until <Time at={limitedUntil} />
        </span>
      )}
      {isLoginBlocked === true && <span className="text-muted">may not be used now</span>}
      {lastFailure !== undefined && status === "failing" && (
        <span className="text-muted">{lastFailure.message}</span>
      )}
    </span>
  );
}
