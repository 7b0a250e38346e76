import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { signedInRoute } from "./signedIn.js";

export const overviewRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/",
  component: lazyRouteComponent(
    () => import("../features/overview/OverviewPage.js"),
    "OverviewPage",
  ),
});
