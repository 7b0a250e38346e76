/** Alerts: what is open, what raises them, and what became of messages. */
import { useMutation, useQuery } from "convex/react";
import type { AnswerStore } from "../../session/optimistic.js";
import { api } from "../../../convex/_generated/api.js";
import type { AlertView } from "../../../convex/protocol/alerts.js";

/** Open and resolved alerts; those on their way to it are nobody's business yet. */
export function useAlerts() {
  return useQuery(api.alerts.list, {})?.filter(({ status }) => status !== "pending");
}

export function useAlertSettings() {
  return useQuery(api.alerts.settings, {});
}

export function useDeliveries() {
  return useQuery(api.alerts.deliveries, {});
}

type Acknowledged = { alertId: AlertView["alertId"]; note?: string | undefined };

/** Shows an alert as taken at once; a refusal takes it back. */
function taken(username: string) {
  return (store: AnswerStore, { alertId, note = "" }: Acknowledged): void => {
    const before = store.getQuery(api.alerts.list, {});
    if (before === undefined) return;
    const by = { by: `user:${username}`, at: Date.now(), note };
    const after = before.map((one) =>
      one.alertId === alertId ? { ...one, acknowledged: one.acknowledged ?? by } : one,
    );
    store.setQuery(api.alerts.list, {}, after);
  };
}

export function useAlertActions(username: string) {
  return {
    acknowledge: useMutation(api.alerts.acknowledge).withOptimisticUpdate(taken(username)),
    configure: useMutation(api.alerts.configure),
    test: useMutation(api.alerts.test),
  };
}
