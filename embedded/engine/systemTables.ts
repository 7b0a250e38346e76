/** Tables of the backend's own. They are ordinary tables; functions reach them only by the views. */
export type SystemTable = { name: string; indexes: { name: string; fields: string[] }[] };

export const SYSTEM_TABLES: readonly SystemTable[] = [
  // Scheduled functions; written by functions (schedule, cancel) and by the scheduler (outcome).
  {
    name: "_scheduled_functions",
    indexes: [
      { name: "by_next_ts", fields: ["nextTs"] },
      { name: "by_completed_time", fields: ["completedTime"] },
    ],
  },
  // Crons of the running deployment; written at activation and by the scheduler.
  {
    name: "_cron_jobs",
    indexes: [
      { name: "by_name", fields: ["name"] },
      { name: "by_next_ts", fields: ["nextTs"] },
    ],
  },
  // The last runs of each cron; written and trimmed by the scheduler.
  { name: "_cron_job_logs", indexes: [{ name: "by_name", fields: ["name"] }] },
  // Answers already given to mutations over WebSockets; written in the mutation's own transaction.
  {
    name: "_session_requests",
    indexes: [{ name: "by_session", fields: ["sessionId", "requestId"] }],
  },
  // Environment variables of the deployment; written by deployment.setEnvironment.
  { name: "_environment_variables", indexes: [{ name: "by_name", fields: ["name"] }] },
];
