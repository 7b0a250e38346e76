import { createRoute, redirect } from "@tanstack/react-router";
import { currentSession } from "../session/tokens.js";
import { Layout } from "../shell/Layout.js";
import { NotFound, rootRoute, RouteError } from "./root.js";

/** The layout of every page that needs a session; without one, to sign in and back. */
export const signedInRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "signedIn",
  beforeLoad: ({ location }) => {
    if (currentSession() !== null) return;
    const to = location.href === "/" ? undefined : location.href;
    // The router takes its redirects thrown.
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    throw redirect({ to: "/sign-in", search: { to }, replace: true });
  },
  component: Layout,
  errorComponent: ({ error }) => <RouteError error={error} />,
});

/** Every address that is none of the others: within the frame, so that the navigation leads on. */
export const elsewhereRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "$",
  component: NotFound,
});
