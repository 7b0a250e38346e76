import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { signedInRoute } from "./signedIn.js";

export const executorsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/executors",
  component: lazyRouteComponent(
    () => import("../features/executors/ExecutorsPage.js"),
    "ExecutorsPage",
  ),
});
