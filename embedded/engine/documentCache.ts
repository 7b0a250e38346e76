import type { SpaceId } from "../store/store.js";
import type { DocumentVersion } from "./documents.js";

/** Of the balance of misses against hits: who has so many more misses is cold, and it remembers no more. */
const COLD_FROM = 8;
const MISSES_MAX = 32;

/** Characters of JSON in one generation; there are two, and parsed values take a few times that. */
const GENERATION_CHARS_MAX = 4 * 1024 * 1024;

class Generation {
  readonly #spaces = new Map<SpaceId, Map<string, DocumentVersion>>();
  chars = 0;

  get(space: SpaceId, key: string): DocumentVersion | undefined {
    return this.#spaces.get(space)?.get(key);
  }

  set(space: SpaceId, key: string, version: DocumentVersion): void {
    let versions = this.#spaces.get(space);
    if (versions === undefined) {
      versions = new Map();
      this.#spaces.set(space, versions);
    }
    versions.set(key, version);
    // A version that is replaced counts on: the generation only ends a little earlier.
    this.chars += version.json.length;
  }

  delete(space: SpaceId, key: string): void {
    this.#spaces.get(space)?.delete(key);
  }
}

/**
 * The newest versions of documents read or written lately, parsed at most once. What was not used
 * while a whole generation filled up is dropped with the one before.
 */
export class DocumentCache {
  #young = new Generation();
  #old = new Generation();
  readonly #misses = new Map<SpaceId, number>();

  /** Looks for a document that somebody wants to have. */
  get(space: SpaceId, key: string): DocumentVersion | undefined {
    const found = this.peek(space, key);
    const misses = this.#misses.get(space) ?? 0;
    if (found === undefined) this.#misses.set(space, Math.min(misses + 1, MISSES_MAX));
    else if (misses > 0) this.#misses.set(space, misses - 1);
    return found;
  }

  /** Whether documents of the space have lately been wanted and not found. */
  isCold(space: SpaceId): boolean {
    return (this.#misses.get(space) ?? 0) >= COLD_FROM;
  }

  peek(space: SpaceId, key: string): DocumentVersion | undefined {
    const young = this.#young.get(space, key);
    if (young !== undefined) return young;
    const old = this.#old.get(space, key);
    if (old !== undefined) this.#add(space, key, old);
    return old;
  }

  /** Called for every document that is committed, so that no older version stays. */
  set(space: SpaceId, key: string, version: DocumentVersion | null): void {
    this.#old.delete(space, key);
    if (version === null) this.#young.delete(space, key);
    else this.#add(space, key, version);
  }

  #add(space: SpaceId, key: string, version: DocumentVersion): void {
    this.#young.set(space, key, version);
    if (this.#young.chars <= GENERATION_CHARS_MAX) return;
    this.#old = this.#young;
    this.#young = new Generation();
  }
}
