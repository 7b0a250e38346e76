/** Budgets: what is spent of them, and setting one. */
import { useMutation, useQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";

/** Each with the label of its credential, where it is one's. */
export function useBudgets() {
  const credentials = useQuery(api.credentials.list, {});
  return useQuery(api.budgets.list, {})?.map((budget) => {
    const { scope } = budget;
    const named = credentials?.find(
      (one) => scope.kind === "credential" && one.credentialId === scope.credentialId,
    );
    return { ...budget, credential: named?.label };
  });
}

export type Budget = NonNullable<ReturnType<typeof useBudgets>>[number];

export function useBudgetActions() {
  return { set: useMutation(api.budgets.set), remove: useMutation(api.budgets.remove) };
}
