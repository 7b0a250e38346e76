/** Short messages after something was done. Anybody may call; Toasts.tsx shows them. */
import { Toast } from "@base-ui/react/toast";
import { readError } from "../lib/errors.js";

export const toasts = Toast.createToastManager();

/** It was done, and the backend has said so. */
export function tellDone(title: string, detail?: string): void {
  toasts.add({ title, type: "good", ...(detail === undefined ? {} : { description: detail }) });
}

/** It was not done; `detail` says why. Interrupts screen readers, and stays longer. */
export function tellFailed(title: string, detail: string): void {
  toasts.add({ title, description: detail, type: "bad", priority: "high", timeout: 12_000 });
}

/**
 * Tells what became of a call, once the backend has said it: done, or refused and why. Never throws; hands
 * out whether it was done.
 */
export async function tellOutcome(
  work: Promise<unknown>,
  words: { done: string; failed: string },
): Promise<boolean> {
  try {
    await work;
    tellDone(words.done);
    return true;
  } catch (error) {
    tellFailed(words.failed, readError(error).message);
    return false;
  }
}
