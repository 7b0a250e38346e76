/** All routes: one file for each page, one line here. */
import { createRouter } from "@tanstack/react-router";
import { jobRoute } from "./job.js";
import { jobsRoute } from "./jobs.js";
import { newJobRoute } from "./newJob.js";
import { overviewRoute } from "./overview.js";
import { rootRoute } from "./root.js";
import { setUpRoute } from "./setUp.js";
import { signedInRoute } from "./signedIn.js";
import { signInRoute } from "./signIn.js";

const tree = rootRoute.addChildren([
  signInRoute,
  setUpRoute,
  signedInRoute.addChildren([overviewRoute, jobsRoute, newJobRoute, jobRoute]),
]);

export const router = createRouter({
  routeTree: tree,
  scrollRestoration: true,
  defaultPreload: "intent",
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
