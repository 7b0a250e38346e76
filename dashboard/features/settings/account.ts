/** What one reads and does with one's own account. */
import { useAction, useMutation, useQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";

export function useSecondFactor() {
  return useQuery(api.auth.secondFactor, {});
}

export function useSessions() {
  return useQuery(api.sessions.list, {});
}

export function useApiKeys() {
  return useQuery(api.apiKeys.list, {});
}

/** A change that a wrong password or code refuses is answered, not thrown: thrown here, with its sentence. */
function asked<T extends { ok: boolean; message?: string }>(reply: T): T & { ok: true } {
  if (!reply.ok) throw new Error(reply.message);
  // What is left of T is its member with `ok: true`.
  return reply as T & { ok: true };
}

/** What one can change of one's own. Each rejects with the sentence that says why not. */
export function useAccountActions() {
  const changePassword = useAction(api.auth.changePassword);
  const confirm = useMutation(api.auth.totpConfirm);
  const turnOff = useMutation(api.auth.totpOff);
  return {
    changePassword: async (oldPassword: string, newPassword: string) =>
      asked(await changePassword({ oldPassword, newPassword })),
    begin: useMutation(api.auth.totpBegin),
    confirm: async (code: string) => asked(await confirm({ code })).recoveryCodes,
    turnOff: async (code: string) => asked(await turnOff({ code })),
    endSession: useMutation(api.sessions.revoke),
    endOthers: useMutation(api.sessions.revokeAll),
    createKey: useMutation(api.apiKeys.create),
    revokeKey: useMutation(api.apiKeys.revoke),
  };
}
