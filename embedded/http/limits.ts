const MIB = 1024 * 1024;

/** Bounds of one HTTP request. */
export const httpLimits = {
  /** Arguments are at most 16 MiB; the rest is envelope. */
  callBytesMax: 20 * MIB,
  /** HTTP actions, both ways. */
  httpActionBytesMax: 20 * MIB,
  /** A push, unpacked: all bundles with their source maps. */
  pushBytesMax: 256 * MIB,
  /** Queries of one query_batch. */
  batchMax: 100,
  /** How long a timestamp given out by query_ts can be read at. */
  snapshotMs: 30_000,
  /** Such timestamps at one time; the oldest gives way. */
  snapshotsMax: 1_000,
  /** How long a client may take to send its head and body. */
  requestTimeoutMs: 60_000,
} as const;
