/**
 * The session of this browser: an access token of ten minutes and the refresh token that renews it. Kept
 * in local storage, so that a reload and other tabs stay signed in; all tabs share one session.
 */
import { useSyncExternalStore } from "react";
import * as z from "zod/mini";
import { readStored, watchStored, writeStored } from "../lib/storage.js";

const sessionSchema = z.object({
  accessToken: z.string(),
  refreshToken: z.string(),
  /** Of the access token, ms since the epoch. */
  expiresAt: z.number(),
});
export type Session = z.infer<typeof sessionSchema>;

const NAME = "session";
const listeners = new Set<() => void>();
let session = parse(readStored(NAME));

watchStored(NAME, (value) => {
  session = parse(value);
  tell();
});

/** The session as it is now; null when nobody is signed in. */
export function currentSession(): Session | null {
  return session;
}

/** Keeps a new session, or with null forgets the one there is. */
export function keepSession(next: Session | null): void {
  session = next;
  writeStored(NAME, next === null ? null : JSON.stringify(next));
  tell();
}

/** Whether somebody is signed in in this browser, as far as it knows; renews the component. */
export function useHasSession(): boolean {
  return useSyncExternalStore(subscribeSession, () => session !== null);
}

/** Calls back after every change; ends by the function it hands out. */
export function subscribeSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

function tell(): void {
  for (const listener of listeners) listener();
}

function parse(text: string | null): Session | null {
  if (text === null) return null;
  try {
    const parsed = sessionSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
