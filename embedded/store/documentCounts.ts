import type Database from "libsql";
import type { SpaceId } from "./store.js";

/** How many documents each space holds, in memory and in the file's `counts`. */
export class DocumentCounts {
  readonly #counts = new Map<SpaceId, number>();
  readonly #changed = new Set<SpaceId>();
  readonly #put: Database.Statement;

  constructor(db: Database.Database) {
    this.#put = db.prepare("INSERT OR REPLACE INTO counts (space, n) VALUES (?, ?)");
    // The statement selects exactly these columns.
    const rows = db.prepare("SELECT space, n FROM counts").all() as { space: number; n: number }[];
    for (const { space, n } of rows) this.#counts.set(space, n);
  }

  of(space: SpaceId): number {
    return this.#counts.get(space) ?? 0;
  }

  add(space: SpaceId, change: number): void {
    if (change === 0) return;
    this.#counts.set(space, this.of(space) + change);
    this.#changed.add(space);
  }

  reset(space: SpaceId): void {
    this.add(space, -this.of(space));
  }

  /** Writes down what changed; called within the SQL transaction of the changes. */
  save(): void {
    for (const space of this.#changed) this.#put.run(space, this.of(space));
    this.#changed.clear();
  }
}
