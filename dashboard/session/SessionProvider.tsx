import { ConvexProviderWithAuth, ConvexReactClient } from "convex/react";
import { createContext, useCallback, useContext, useMemo, type ReactNode } from "react";
import { AccessTokens } from "./accessToken.js";
import { SignInBackend } from "./http.js";
import { useHasSession } from "./tokens.js";

export type Connection = { client: ConvexReactClient; http: SignInBackend; tokens: AccessTokens };

const ConnectionContext = createContext<Connection | null>(null);

/** Opens the live connection; once for the page. `url` is the deployment's. */
export function openConnection(url: string): Connection {
  const client = new ConvexReactClient(url, {
    // Self-hosted deployments have addresses of any form.
    skipConvexDeploymentUrlCheck: true,
    unsavedChangesWarning: false,
  });
  const http = new SignInBackend(url);
  return { client, http, tokens: new AccessTokens(http) };
}

/** Gives the page its connection, signed in as the session of this browser. */
export function SessionProvider({
  connection,
  children,
}: {
  connection: Connection;
  children: ReactNode;
}): ReactNode {
  return (
    <ConnectionContext value={connection}>
      <ConvexProviderWithAuth client={connection.client} useAuth={useSessionAuth}>
        {children}
      </ConvexProviderWithAuth>
    </ConnectionContext>
  );
}

function useSessionAuth() {
  const { tokens } = useConnection();
  const isAuthenticated = useHasSession();
  const fetchAccessToken = useCallback(
    (how: { forceRefreshToken: boolean }) => tokens.get(how),
    [tokens],
  );
  return useMemo(
    () => ({ isLoading: false, isAuthenticated, fetchAccessToken }),
    [isAuthenticated, fetchAccessToken],
  );
}

/** What sign-in and sign-out talk to. */
export function useConnection(): Connection {
  const connection = useContext(ConnectionContext);
  if (connection === null) throw new Error("useConnection outside of SessionProvider");
  return connection;
}
