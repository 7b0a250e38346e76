import type { ReactNode } from "react";
import type { AlertView, Severity } from "../../../convex/protocol/alerts.js";
import { formatActor, plural } from "../../lib/format.js";
import type { Tone } from "../../lib/stateLook.js";
import { useMe, useUnable } from "../../session/me.js";
import { Badge } from "../../ui/Badge.js";
import { Button } from "../../ui/Button.js";
import { Panel } from "../../ui/Page.js";
import { Time } from "../../ui/Time.js";
import { tellOutcome } from "../../ui/toast.js";
import { useAlertActions } from "./alerts.js";

const SEVERITY_TONE: Record<Severity, Tone> = { P1: "bad", P2: "bad", P3: "warn", P4: "calm" };

/** Alerts that are open, then those that were. */
export function AlertList({ alerts }: { alerts: readonly AlertView[] }): ReactNode {
  const open = alerts.filter(({ status }) => status === "open");
  const resolved = alerts.filter(({ status }) => status === "resolved");
  return (
    <Panel title={open.length === 0 ? "Alerts" : `Alerts (${open.length} open)`}>
      {open.length === 0 ? (
        <p className="m-0 text-muted">None is open.</p>
      ) : (
        <ul aria-label="Open alerts" className="m-0 flex list-none flex-col gap-4 p-0">
          {open.map((alert) => (
            <Open key={alert.alertId} alert={alert} />
          ))}
        </ul>
      )}
      {resolved.length > 0 && (
        <details className="mt-4">
          <summary className="cursor-pointer text-muted">
            {plural(resolved.length, "alert")} resolved
          </summary>
          <ul className="m-0 mt-2 flex list-none flex-col gap-2 p-0">
            {resolved.map(({ alertId, severity, title, resolvedAt }) => (
              <li key={alertId} className="flex flex-wrap items-baseline gap-x-3">
                <Badge>{severity}</Badge>
                <span className="min-w-0 flex-1">{title}</span>
                <span className="text-[13px] text-muted">
                  <Time at={resolvedAt} />
                </span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </Panel>
  );
}

function Open({ alert }: { alert: AlertView }): ReactNode {
  const { alertId, severity, title, detail, since, acknowledged, runbook } = alert;
  const { username } = useMe();
  const { acknowledge } = useAlertActions(username);
  const unable = useUnable("operator");
  return (
    <li className="flex flex-wrap items-start gap-x-3 gap-y-2">
      <Badge tone={SEVERITY_TONE[severity]}>{severity}</Badge>
      <div className="min-w-0 flex-1 basis-64">
        <span className="font-medium">{title}</span>
        <span className="block text-muted">{detail}</span>
        <span className="block text-[13px] text-muted">
          since <Time at={since} />; what to do: <Runbook where={runbook} />
        </span>
      </div>
      {acknowledged !== undefined ? (
        <span className="text-[13px] text-muted">
          taken by {formatActor(acknowledged.by)} <Time at={acknowledged.at} />
        </span>
      ) : (
        <Button
          size="small"
          unable={unable}
          aria-label={`Take care of: ${title}`}
          onClick={() =>
            void tellOutcome(acknowledge({ alertId }), {
              done: "It is yours",
              failed: "The alert was not taken",
            })
          }
        >
          I take care of it
        </Button>
      )}
    </li>
  );
}

/** A link where the deployment says where its runbook is, else a path in the repository. */
function Runbook({ where }: { where: string }): ReactNode {
  if (!/^https?:\/\//.test(where)) return <code className="font-mono">{where}</code>;
  return (
    <a href={where} rel="noreferrer" target="_blank" className="text-accent underline">
      runbook
    </a>
  );
}
