import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { signedInRoute } from "./signedIn.js";

export const jobRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/jobs/$jobId",
  component: lazyRouteComponent(() => import("../features/job/JobPage.js"), "JobPage"),
});
