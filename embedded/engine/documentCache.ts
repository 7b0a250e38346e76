import type { SpaceId } from "../store/store.js";
import type { DocumentVersion } from "./documents.js";

/** Characters of JSON kept; parsed, they take a few times that. */
const CHARS_MAX = 8 * 1024 * 1024;

/** The newest versions of documents read or written lately, parsed at most once. */
export class DocumentCache {
  /** Least recently used first. */
  readonly #entries = new Map<string, { version: DocumentVersion; chars: number }>();
  #chars = 0;

  get(space: SpaceId, key: string): DocumentVersion | undefined {
    const name = nameOf(space, key);
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    return entry.version;
  }

  /** Called for every document that is committed, so that no older version stays. */
  set(space: SpaceId, key: string, version: DocumentVersion | null): void {
    const name = nameOf(space, key);
    this.#remove(name);
    if (version === null) return;
    const chars = version.json.length;
    this.#entries.set(name, { version, chars });
    this.#chars += chars;
    while (this.#chars > CHARS_MAX) {
      const [oldest] = this.#entries.keys();
      if (oldest === undefined) return;
      this.#remove(oldest);
    }
  }

  #remove(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#chars -= entry.chars;
  }
}

const nameOf = (space: SpaceId, key: string): string => `${space}/${key}`;
