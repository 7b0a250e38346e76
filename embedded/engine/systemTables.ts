/**
 * Tables of the backend's own, all of the root component: where a row belongs to a component, its
 * `componentPath` says to which. They are ordinary tables; functions reach them only by the views.
 */
export type SystemTable = { name: string; indexes: { name: string; fields: string[] }[] };

export const SYSTEM_TABLES: readonly SystemTable[] = [
  // Scheduled functions; written by functions (schedule, cancel) and by the scheduler (outcome).
  {
    name: "_scheduled_functions",
    indexes: [
      { name: "by_next_ts", fields: ["nextTs"] },
      { name: "by_completed_time", fields: ["completedTime"] },
      { name: "by_component", fields: ["componentPath"] },
    ],
  },
  // Files; rows are written by functions and by uploads, once the bytes are safe.
  {
    name: "_storage",
    indexes: [
      { name: "by_component", fields: ["componentPath"] },
      { name: "by_key", fields: ["key"] },
    ],
  },
  // Crons of the running deployment; written at activation and by the scheduler.
  {
    name: "_cron_jobs",
    indexes: [
      { name: "by_name", fields: ["componentPath", "name"] },
      { name: "by_next_ts", fields: ["nextTs"] },
    ],
  },
  // The last runs of each cron; written and trimmed by the scheduler.
  { name: "_cron_job_logs", indexes: [{ name: "by_name", fields: ["componentPath", "name"] }] },
  // Answers already given to mutations over WebSockets; written in the mutation's own transaction.
  {
    name: "_session_requests",
    indexes: [{ name: "by_session", fields: ["sessionId", "requestId"] }],
  },
  // Environment variables of the deployment; written by deployment.setEnvironment.
  { name: "_environment_variables", indexes: [{ name: "by_name", fields: ["name"] }] },
  // Snapshot exports and what became of them; written by deploy/transfer.
  { name: "_exports", indexes: [] },
  // Snapshot imports and what became of them; written by deploy/transfer.
  { name: "_imports", indexes: [] },
];
