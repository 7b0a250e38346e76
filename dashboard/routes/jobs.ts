import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { jobsSearch } from "../features/jobs/search.js";
import { signedInRoute } from "./signedIn.js";

export const jobsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/jobs",
  validateSearch: jobsSearch,
  component: lazyRouteComponent(() => import("../features/jobs/JobsPage.js"), "JobsPage"),
});
