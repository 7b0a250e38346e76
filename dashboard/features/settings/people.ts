/** What administrators read and do with people. */
import { useAction, useMutation, usePaginatedQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";
import type { UserView } from "../../../convex/protocol/identity.js";

export const PAGE_USERS = 50;

/** Users, the oldest first. For administrators alone. */
export function useUsers() {
  const { results, ...rest } = usePaginatedQuery(
    api.users.list,
    {},
    { initialNumItems: PAGE_USERS },
  );
  // The function says no `returns`; its rows are those of the model's `view`.
  const users: UserView[] = results;
  return { users, ...rest };
}

export function usePeopleActions() {
  return {
    create: useAction(api.users.create),
    setRole: useMutation(api.users.setRole),
    setDisabled: useMutation(api.users.setDisabled),
    reset: useAction(api.users.reset),
    endSessions: useMutation(api.sessions.revokeAll),
  };
}
