/** Who is signed in, and what he may do. */
import { useConvexAuth, useMutation, useQuery } from "convex/react";
import { createContext, useContext } from "react";
import { api } from "../../convex/_generated/api.js";
import { ROLES, type Role } from "../../convex/protocol/view.js";
import { keepSession } from "./tokens.js";

export type Me = { username: string; role: Role };
export type Standing = Me & { isConnected: boolean };

export const StandingContext = createContext<Standing | null>(null);

/** The person, from the backend; undefined until it has confirmed the session. */
export function useFetchedMe(): Me | undefined {
  const { isAuthenticated } = useConvexAuth();
  return useQuery(api.auth.me, isAuthenticated ? {} : "skip");
}

/** The person who is signed in. Below the signed-in layout only. */
export function useMe(): Me {
  return useStanding();
}

/**
 * Why the person may not do what needs the role, now; undefined when he may. For the `unable` of buttons.
 */
export function useUnable(needed: Role): string | undefined {
  const { role, isConnected } = useStanding();
  if (ROLES.indexOf(role) < ROLES.indexOf(needed)) {
    return `This needs the role ${needed}; yours is ${role}.`;
  }
  return isConnected ? undefined : "There is no connection to the backend just now.";
}

/** Ends the session at the backend and forgets it here, whatever the backend says. */
export function useSignOut(): () => Promise<void> {
  const signOut = useMutation(api.auth.signOut);
  return async () => {
    try {
      await signOut({});
    } finally {
      keepSession(null);
    }
  };
}

function useStanding(): Standing {
  const standing = useContext(StandingContext);
  if (standing === null) throw new Error("useMe outside of the signed-in layout");
  return standing;
}
