import { cronJobs } from "convex/server";
import { internal } from "./_generated/api.js";

const crons = cronJobs();
// A net under the timer chain, which is what keeps deadlines.
crons.interval("reclaim expired", { minutes: 1 }, internal.maintenance.reclaimExpired, {});
crons.interval("roll up metrics", { minutes: 1 }, internal.metrics.tick, {});
crons.interval("evaluate alerts", { minutes: 1 }, internal.alerts.evaluate, {});
crons.interval("audit the queue", { minutes: 10 }, internal.selfAudit.begin, {});
crons.interval("delete what is old", { hours: 1 }, internal.retention.begin, {});
crons.interval("delete files of nobody", { hours: 1 }, internal.files.sweep, {});
export default crons;
