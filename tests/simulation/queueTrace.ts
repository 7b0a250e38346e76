/**
 * What happened in a simulated world, line by line: a hash over all of it, and the end of it for people.
 * Ids are made at random, so lines name rows by when they were first seen.
 */
import { createHash } from "node:crypto";

const SHOWN = 60;

export class Trace {
  readonly #hash = createHash("sha256");
  readonly #names = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  #tail: string[] = [];

  add(atMs: number, line: string): void {
    const text = `${(atMs / 1_000).toFixed(3)} ${line}`;
    this.#hash.update(`${text}\n`);
    this.#tail.push(text);
    if (this.#tail.length > 2 * SHOWN) this.#tail = this.#tail.slice(-SHOWN);
  }

  /** A name for an id that is the same in each run of a seed. */
  name(kind: string, id: string): string {
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    this.#names.set(id, `${kind}${count}`);
    return `${kind}${count}`;
  }

  /** Text in which ids are replaced by the names they were given; UUIDs have none. */
  readable(text: string): string {
    return text
      .replace(/\b[0-9a-z]{31,37}\b/g, (id) => this.#names.get(id) ?? "(an id)")
      .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "(a UUID)");
  }

  /** The last lines. */
  tail(): string[] {
    return this.#tail.slice(-SHOWN);
  }

  digest(): string {
    return this.#hash.copy().digest("hex").slice(0, 16);
  }
}
