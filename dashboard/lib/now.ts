/** One ticker for all relative times on the page; it rests while the page is hidden. */
import { useSyncExternalStore } from "react";

const TICK_MS = 1_000;
const listeners = new Set<() => void>();
let current = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  current = Date.now();
  for (const listener of listeners) listener();
}

function rest(): void {
  clearInterval(timer);
  timer = undefined;
}

function onVisibility(): void {
  rest();
  if (document.hidden || listeners.size === 0) return;
  tick();
  timer = setInterval(tick, TICK_MS);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (listeners.size === 1) {
    document.addEventListener("visibilitychange", onVisibility);
    onVisibility();
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    document.removeEventListener("visibilitychange", onVisibility);
    rest();
  };
}

/** The time, ms since the epoch; renews the component each second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => current);
}
