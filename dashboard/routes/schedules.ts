import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { schedulesSearch } from "../features/schedules/search.js";
import { signedInRoute } from "./signedIn.js";

export const schedulesRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/schedules",
  validateSearch: schedulesSearch,
  component: lazyRouteComponent(
    () => import("../features/schedules/SchedulesPage.js"),
    "SchedulesPage",
  ),
});
