import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { searchSchema, searchText } from "../lib/search.js";
import { signedInRoute } from "./signedIn.js";

export const newJobRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/jobs/new",
  /** `from`: the id of a job to begin with. */
  validateSearch: searchSchema({ from: searchText }),
  component: lazyRouteComponent(() => import("../features/newJob/NewJobPage.js"), "NewJobPage"),
});
