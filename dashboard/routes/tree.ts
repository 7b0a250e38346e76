/** All routes: one file for each page, one line here. */
import { createRouter } from "@tanstack/react-router";
import { auditRoute } from "./audit.js";
import { executorsRoute } from "./executors.js";
import { jobRoute } from "./job.js";
import { jobsRoute } from "./jobs.js";
import { metricsRoute } from "./metrics.js";
import { newJobRoute } from "./newJob.js";
import { overviewRoute } from "./overview.js";
import { RouteError, rootRoute } from "./root.js";
import { schedulesRoute } from "./schedules.js";
import { settingsRoute } from "./settings.js";
import { setUpRoute } from "./setUp.js";
import { elsewhereRoute, signedInRoute } from "./signedIn.js";
import { signInRoute } from "./signIn.js";

const tree = rootRoute.addChildren([
  signInRoute,
  setUpRoute,
  signedInRoute.addChildren([
    overviewRoute,
    jobsRoute,
    newJobRoute,
    jobRoute,
    executorsRoute,
    metricsRoute,
    schedulesRoute,
    auditRoute,
    settingsRoute,
    elsewhereRoute,
  ]),
]);

export const router = createRouter({
  routeTree: tree,
  scrollRestoration: true,
  defaultPreload: "intent",
  // Within the frame: the navigation stays.
  defaultErrorComponent: RouteError,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
