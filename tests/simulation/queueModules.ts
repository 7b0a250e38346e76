/** The modules of convex/ whose functions a simulated queue may be asked to run. */
import * as admin from "../../convex/admin.js";
import * as alerts from "../../convex/alerts.js";
import * as batches from "../../convex/batches.js";
import * as bulk from "../../convex/bulk.js";
import * as credentials from "../../convex/credentials.js";
import * as deliver from "../../convex/deliver.js";
import * as dispatch from "../../convex/dispatch.js";
import * as executors from "../../convex/executors.js";
import * as jobs from "../../convex/jobs.js";
import * as logs from "../../convex/logs.js";
import * as maintenance from "../../convex/maintenance.js";
import * as metrics from "../../convex/metrics.js";
import * as queue from "../../convex/queue.js";
import * as retention from "../../convex/retention.js";
import * as schedules from "../../convex/schedules.js";
import * as selfAudit from "../../convex/selfAudit.js";
import * as sessions from "../../convex/sessions.js";
import { described, type Exported, type FoundFunction } from "../../embedded/test/functions.js";

const MODULES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  ...{
    admin,
    alerts,
    batches,
    bulk,
    credentials,
    deliver,
    dispatch,
    executors,
    jobs,
    logs,
    maintenance,
  },
  ...{ metrics, queue, retention, schedules, selfAudit, sessions },
};

const found = new Map<string, FoundFunction>();

/** The function of this name, such as "jobs:submit". Throws when there is none. */
export function functionOf(name: string): FoundFunction {
  const known = found.get(name);
  if (known !== undefined) return known;
  const [module = "", exportName = ""] = name.replace(/\.js:/, ":").split(":");
  const value = MODULES[module]?.[exportName];
  if (typeof value !== "function" || !("exportArgs" in value)) {
    throw new Error(`The simulation knows no function ${name}: add its module to the list.`);
  }
  // It has what convex/server hangs on functions.
  const exported = value as unknown as Exported;
  const made = described(exported, "", { module: `${module}.js`, name: exportName });
  found.set(name, made);
  return made;
}
