import { Outlet } from "@tanstack/react-router";
import { useConvexAuth } from "convex/react";
import { useMemo, type ReactNode } from "react";
import { useConnected } from "../session/connected.js";
import { StandingContext, useFetchedMe, type Me } from "../session/me.js";
import { Loading } from "../ui/States.js";
import { ConnectionBanner } from "./ConnectionBanner.js";
import { Keys } from "./Keys.js";
import { PhoneBar, SideNav } from "./SideNav.js";

/** The frame of every page of somebody who is signed in. */
export function Layout(): ReactNode {
  const me = useFetchedMe();
  const { isAuthenticated } = useConvexAuth();
  const isConnected = useConnected();
  // A token that is being renewed leaves the page as it is: only the first answer is waited for.
  if (me === undefined) return <Arriving isConnected={isConnected || isAuthenticated} />;
  return <Frame me={me} isConnected={isConnected} />;
}

function Frame({ me, isConnected }: { me: Me; isConnected: boolean }): ReactNode {
  const { username, role } = me;
  const standing = useMemo(() => ({ username, role, isConnected }), [username, role, isConnected]);
  return (
    <StandingContext value={standing}>
      <a
        href="#main"
        className="sr-only z-50 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to the page
      </a>
      <div className="flex min-h-dvh flex-col md:flex-row">
        <SideNav />
        <div className="flex min-w-0 flex-1 flex-col">
          <ConnectionBanner isConnected={isConnected} />
          <main
            id="main"
            tabIndex={-1}
            className="mx-auto w-full max-w-[1320px] min-w-0 flex-1 px-4 pt-4 pb-24 md:px-8 md:pt-6 md:pb-10"
          >
            <Outlet />
          </main>
        </div>
        <PhoneBar />
      </div>
      <Keys />
    </StandingContext>
  );
}

function Arriving({ isConnected }: { isConnected: boolean }): ReactNode {
  return (
    <main className="mx-auto max-w-2xl p-6">
      <h1 className="sr-only">Fondation</h1>
      <ConnectionBanner isConnected={isConnected} />
      <Loading what="the dashboard" rows={6} />
    </main>
  );
}
