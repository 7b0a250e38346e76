import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { auditSearch } from "../features/audit/search.js";
import { signedInRoute } from "./signedIn.js";

export const auditRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/audit",
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import("../features/audit/AuditPage.js"), "AuditPage"),
});
