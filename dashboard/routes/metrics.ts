import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { metricsSearch } from "../features/metrics/metrics.js";
import { signedInRoute } from "./signedIn.js";

export const metricsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/metrics",
  validateSearch: metricsSearch,
  component: lazyRouteComponent(() => import("../features/metrics/MetricsPage.js"), "MetricsPage"),
});
