import { CSPProvider } from "@base-ui/react/csp-provider";
import { Tooltip } from "@base-ui/react/tooltip";
import { RouterProvider } from "@tanstack/react-router";
import { useEffect, type ReactNode } from "react";
import { router } from "./routes/tree.js";
import { SessionProvider, type Connection } from "./session/SessionProvider.js";
import { subscribeSession } from "./session/tokens.js";
import { Toasts } from "./ui/Toasts.js";

/** Providers, and nothing else. */
export function App({ connection }: { connection: Connection }): ReactNode {
  // Signed out, here or in another tab: the guards of the routes decide anew.
  useEffect(() => subscribeSession(() => void router.invalidate()), []);
  return (
    <CSPProvider disableStyleElements>
      <SessionProvider connection={connection}>
        <Tooltip.Provider delay={300}>
          <Toasts>
            <RouterProvider router={router} />
          </Toasts>
        </Tooltip.Provider>
      </SessionProvider>
    </CSPProvider>
  );
}
