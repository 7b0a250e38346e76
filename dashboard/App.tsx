import { CSPProvider } from "@base-ui/react/csp-provider";
import { RouterProvider } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, type ReactNode } from "react";
import { router } from "./routes/tree.js";
import { SessionProvider, type Connection } from "./session/SessionProvider.js";
import { subscribeSession } from "./session/tokens.js";

// Later than the page: nothing is told before something was done.
const Toasts = lazy(async () => ({ default: (await import("./ui/Toasts.js")).Toasts }));

/** Providers, and nothing else. */
export function App({ connection }: { connection: Connection }): ReactNode {
  // Signed out, here or in another tab: the guards of the routes decide anew.
  useEffect(() => subscribeSession(() => void router.invalidate()), []);
  return (
    <CSPProvider disableStyleElements>
      <SessionProvider connection={connection}>
        <RouterProvider router={router} />
        <Suspense>
          <Toasts />
        </Suspense>
      </SessionProvider>
    </CSPProvider>
  );
}
