const MIB = 1024 * 1024;

/** Bounds of exports and imports. */
export const transferLimits = {
  /** A zip without its 64-bit extension holds no more. */
  zipBytesMax: 4 * 1024 * MIB - 1,
  /** One part of an upload; the official CLI cuts at 5 MiB unless the file is very large. */
  partBytesMax: 512 * MIB,
  partsMax: 10_000,
  /** Uploads under way, finished or not; the oldest gives way. */
  uploadsMax: 8,
  /** A JSON array is parsed whole. */
  jsonArrayBytesMax: 64 * MIB,
  /** One line of JSON or one row of CSV. */
  lineCharsMax: 16 * MIB,
  /** Documents of one transaction, and their JSON. */
  batchDocuments: 1_000,
  batchChars: 4 * MIB,
  /** Bytes read at once of an uploaded file. */
  chunkBytes: 64 * 1024,
  /** How long an export or import keeps others waiting at a time. */
  turnMs: 10,
  /** Rows kept of past exports and imports. */
  historyRows: 20,
} as const;
