import { CloudOff } from "lucide-react";
import type { ReactNode } from "react";

/** Says that the connection is away. What is shown stays, as it was last known. */
export function ConnectionBanner({ isConnected }: { isConnected: boolean }): ReactNode {
  return (
    <div role="status">
      {!isConnected && (
        <div className="flex items-center justify-center gap-2 bg-warn-soft px-4 py-2 text-center text-warn">
          <CloudOff size={16} aria-hidden className="shrink-0" />
          No connection to the backend. This is the last known state; reconnecting…
        </div>
      )}
    </div>
  );
}
