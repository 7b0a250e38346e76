/** The only place in convex/ that reads the clock. Milliseconds since the epoch. */
export function now(): number {
  return Date.now();
}
