/** What exports and imports ask of file storage. */
export type TransferFiles = {
  /** Files of a component as of a held snapshot: id as in `_storage`, and where the content is. */
  list(componentPath: string, ts: bigint): Iterable<{ id: string; path: string }>;
  read(path: string): AsyncIterable<Uint8Array>;
};

export const NO_FILES: TransferFiles = {
  list: () => [],
  read: () => {
    throw new Error("There are no files.");
  },
};
