import { useState } from "react";
import type { LeaseView } from "../../../convex/protocol/view.js";
import { useNow } from "../../lib/now.js";

/**
 * How much of a lease is left, ms, by this browser's clock; null without one. What counts is when the
 * renewal was seen, for the two clocks may differ; of a lease that was there before, its end is believed
 * where it can be true.
 */
export function useRemaining(lease: LeaseView | null): number | null {
  const now = useNow();
  const [seen, setSeen] = useState<{ expiresAt: number; endsAt: number } | null>(null);
  if (lease === null) return null;
  if (seen?.expiresAt === lease.expiresAt) return Math.max(0, seen.endsAt - now);
  const endsAt = endOf(lease, now, seen === null);
  // Set while rendering, as React asks for state that follows from props.
  setSeen({ expiresAt: lease.expiresAt, endsAt });
  return Math.max(0, endsAt - now);
}

/** When a lease that was seen just now ends, by this browser's clock. */
export function endOf({ expiresAt, leaseMs }: LeaseView, now: number, isFirst: boolean): number {
  const told = expiresAt - now;
  const isCredible = isFirst && told > 0 && told <= leaseMs;
  return now + (isCredible ? told : leaseMs);
}
