/** Secrets and credentials: what people may know of them and do with them. Values go in and never come out. */
import { useAction, useMutation, useQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";

/** All secrets; for administrators alone. */
export function useSecrets() {
  return useQuery(api.secrets.list, {});
}

/** One's own tokens for clones; from operators on. */
export function useMyTokens() {
  return useQuery(api.secrets.listMine, {});
}

/** What runs log in with: the deployment's, and those of executors. */
export function useCredentials() {
  const credentials = useQuery(api.credentials.list, {});
  const executors = useQuery(api.executors.list, {});
  return credentials?.map((credential) => ({
    ...credential,
    executor: executors?.find(({ executorId }) => executorId === credential.executorId)?.name,
  }));
}

export type Credential = NonNullable<ReturnType<typeof useCredentials>>[number];

export function useSecretActions() {
  return {
    set: useAction(api.secrets.set),
    setStatus: useMutation(api.secrets.setStatus),
    remove: useMutation(api.secrets.remove),
    setMine: useAction(api.secrets.setMyToken),
    removeMine: useMutation(api.secrets.removeMyToken),
    createCredential: useAction(api.credentials.create),
    enable: useMutation(api.credentials.enable),
    disable: useMutation(api.credentials.disable),
    setConcurrency: useMutation(api.credentials.setConcurrency),
  };
}
