import type { ReactNode } from "react";
import { useUnable, useMe } from "../../session/me.js";
import { Badge } from "../../ui/Badge.js";
import { Button } from "../../ui/Button.js";
import { Panel } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { Table, Td, Th } from "../../ui/Table.js";
import { Time } from "../../ui/Time.js";
import { tellOutcome } from "../../ui/toast.js";
import { AlertList } from "./AlertList.js";
import { AlertRules } from "./AlertRules.js";
import { useAlertActions, useAlerts, useAlertSettings, useDeliveries } from "./alerts.js";

/** What is wrong, what counts as wrong, and who was told. */
export function AlertsTab(): ReactNode {
  const alerts = useAlerts();
  const settings = useAlertSettings();
  if (alerts === undefined || settings === undefined) return <Loading what="alerts" />;
  return (
    <div className="flex flex-col gap-4">
      <AlertList alerts={alerts} />
      <AlertRules key={JSON.stringify(settings)} settings={settings} />
      <Messages />
    </div>
  );
}

const DELIVERY_TONES = { waiting: "warn", sending: "live", sent: "good", failed: "bad" } as const;

function Messages(): ReactNode {
  const deliveries = useDeliveries();
  const { username } = useMe();
  const { test } = useAlertActions(username);
  const unable = useUnable("administrator");
  return (
    <Panel
      title="Messages to the webhook"
      actions={
        <Button
          size="small"
          unable={unable}
          onClick={() =>
            void tellOutcome(test({}), {
              done: "A test message is on its way",
              failed: "No test message was sent",
            })
          }
        >
          Send a test
        </Button>
      }
    >
      {deliveries === undefined ? (
        <Loading what="messages" rows={2} />
      ) : deliveries.length === 0 ? (
        <p className="m-0 text-muted">
          None yet. Alerts are sent to the deployment variable{" "}
          <code className="font-mono text-[13px]">ALERT_WEBHOOK_URL</code>, where that is set.
        </p>
      ) : (
        <Table name="Messages to the webhook">
          <thead>
            <tr>
              <Th>Status</Th>
              <Th>Message</Th>
              <Th end>Tries</Th>
              <Th end>When</Th>
            </tr>
          </thead>
          <tbody>
            {deliveries.map(({ deliveryId, at, kind, title, status, attempts, error }) => (
              <tr key={deliveryId}>
                <Td>
                  <Badge tone={DELIVERY_TONES[status]}>{status}</Badge>
                </Td>
                <Td className="min-w-56">
                  {kind}: {title}
                  {error !== undefined && (
                    <span className="block text-[13px] text-muted">{error}</span>
                  )}
                </Td>
                <Td end>{attempts}</Td>
                <Td end>
                  <Time at={at} />
                </Td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
    </Panel>
  );
}
