/** What the page of executors reads and does. */
import { useMutation, useQuery } from "convex/react";
import { useGlance } from "../../session/glance.js";
import type { AnswerStore } from "../../session/optimistic.js";
import { api } from "../../../convex/_generated/api.js";
import type { CredentialView } from "../../../convex/protocol/credential.js";
import type { ExecutorView, ExecutorLeaseView } from "../../../convex/protocol/view.js";

/** Half of what passes between two heartbeats by default. */
const LEASES_PAUSE_MS = 10_000;
const leasesPauseMs = (): number => LEASES_PAUSE_MS;

type ExecutorId = ExecutorView["executorId"];

/** An executor with what else is known of it; of a heartbeat only while it is online. */
export type ExecutorRow = ExecutorView & {
  lease: ExecutorLeaseView | undefined;
  /** Its own login; absent: it asks the deployment for a credential. */
  credential: CredentialView | undefined;
};

/** All executors, those that are online first, each group by name; undefined while they load. */
export function useExecutorRows(): ExecutorRow[] | undefined {
  const executors = useQuery(api.executors.list, {});
  const leases = useGlance(api.executors.leases, {}, leasesPauseMs);
  const credentials = useQuery(api.credentials.list, {});
  const rank = ({ presence }: ExecutorView): number => (presence === "online" ? 0 : 1);
  return executors
    ?.map((executor) => ({
      ...executor,
      lease: leases?.find(({ executorId }) => executorId === executor.executorId),
      credential: credentials?.find(({ executorId }) => executorId === executor.executorId),
    }))
    .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

/** Shows a change of one executor at once; the backend's answer replaces it, a refusal takes it back. */
function showing(change: Partial<ExecutorView>) {
  return (store: AnswerStore, { executorId }: { executorId: ExecutorId }): void => {
    const before = store.getQuery(api.executors.list, {});
    if (before === undefined) return;
    const after = before.map((one) =>
      one.executorId === executorId ? { ...one, ...change } : one,
    );
    store.setQuery(api.executors.list, {}, after);
  };
}

const drained = showing({ draining: true });
const resumed = showing({ draining: false, unhealthy: null });

/** What can be done to an executor. */
export function useExecutorActions() {
  return {
    drain: useMutation(api.executors.drain).withOptimisticUpdate(drained),
    resume: useMutation(api.executors.resume).withOptimisticUpdate(resumed),
    rotate: useMutation(api.executors.requestRotation),
    revoke: useMutation(api.executors.revoke),
  };
}

/** Makes a one-time invitation. */
export function useEnrol() {
  return useMutation(api.executors.createEnrolment);
}
