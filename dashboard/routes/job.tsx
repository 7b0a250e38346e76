import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { jobSearch } from "../features/job/search.js";
import { RouteError } from "./root.js";
import { signedInRoute } from "./signedIn.js";

export const jobRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/jobs/$jobId",
  validateSearch: jobSearch,
  component: lazyRouteComponent(() => import("../features/job/JobPage.js"), "JobPage"),
  errorComponent: ({ error }) => <RouteError error={error} what="job" />,
});
