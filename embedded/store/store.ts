/**
 * Where the newest version of everything lives: ordered keyspaces ("spaces") of keys and text.
 * Older versions, transactions and conflicts are the engine's affair. One implementation keeps it
 * in memory, one in a file; both pass the same suite.
 */

/**
 * A space holds either documents (key: by_id key, value: JSON) or index rows (key: index key,
 * value: by_id key of the document). Even numbers are document spaces, odd ones index spaces, so
 * that a store may lay them out differently.
 */
export type SpaceId = number;
export const isDocumentSpace = (space: SpaceId): boolean => space % 2 === 0;

export type Row = {
  key: string;
  value: string;
  /** The document's JSON, where `ScanSpec.documents` asked for it and the store had it at hand. */
  document?: string | undefined;
};
export type ScanSpec = {
  space: SpaceId;
  /** Inclusive. */
  lo: string;
  /** Exclusive; null means to the end. */
  hi: string | null;
  order: "asc" | "desc";
  limit: number;
  /** For an index space: the documents of this space are wanted with the rows. */
  documents?: SpaceId;
};

/** `value === null` deletes. */
export type StoreWrite = { space: SpaceId; key: string; value: string | null };
export type MetaWrite = { key: string; value: string | null };
export type StoreBatch = {
  writes: readonly StoreWrite[];
  meta?: readonly MetaWrite[];
  /** Spaces emptied before the writes. */
  drop?: readonly SpaceId[];
};

/**
 * The disk refused. What memory says and what the disk holds may differ, so the store does nothing
 * more and the process has to end. Whether the last commits were kept is known after the next start.
 */
export class StoreFailure extends Error {
  override readonly name = "StoreFailure";
}

export interface Store {
  get(space: SpaceId, key: string): string | null;
  scan(spec: ScanSpec): Row[];
  /** Every row of the space within the interval, without reading values. */
  count(space: SpaceId, lo: string, hi: string | null): number;
  metaGet(key: string): string | null;
  metaScan(prefix: string): Row[];
  /** Atomic; visible to later reads at once, durable when a later `flush` resolves. May throw StoreFailure. */
  commit(batch: StoreBatch): void;
  /** Resolves when everything committed before the call is durable; rejects if that failed. */
  flush(): Promise<void>;
  /** Calls once, when the disk has refused; at once if it already has. */
  onFailure(listener: (failure: StoreFailure) => void): void;
  /** Flushes, then frees the data. */
  close(): Promise<void>;
}
