/** `rate` calls in each period of `periodMs`, saved up to `burst` while nobody calls. */
export type Bucket = { rate: number; periodMs: number; burst: number };
/** What is left, as of a time in ms. */
export type Filling = { tokens: number; at: number };

/** Takes one token; when there is none, says in how many ms there will be. */
export function take(
  { rate, periodMs, burst }: Bucket,
  before: Filling | null,
  now: number,
): { ok: true; after: Filling } | { ok: false; retryAfterMs: number } {
  const { tokens, at } = before ?? { tokens: burst, at: now };
  const refilled = Math.min(burst, tokens + (Math.max(0, now - at) * rate) / periodMs);
  if (refilled >= 1) return { ok: true, after: { tokens: refilled - 1, at: now } };
  return { ok: false, retryAfterMs: Math.ceil(((1 - refilled) * periodMs) / rate) };
}

/** Time from which on a bucket is full again: what was kept of it says nothing any more. */
export function fullAt({ rate, periodMs, burst }: Bucket, { tokens, at }: Filling): number {
  return at + Math.ceil(((burst - tokens) * periodMs) / rate);
}
