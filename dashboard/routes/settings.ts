import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { settingsSearch } from "../features/settings/search.js";
import { signedInRoute } from "./signedIn.js";

export const settingsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/settings",
  validateSearch: settingsSearch,
  component: lazyRouteComponent(
    () => import("../features/settings/SettingsPage.js"),
    "SettingsPage",
  ),
});
