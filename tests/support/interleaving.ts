/**
 * Two functions at the same time, for real: each runs to its end on one snapshot of the embedded engine
 * and is held there; then they are committed in an order of the caller's choice. What they did can be
 * undone, so that one world serves for any number of pairs.
 */
import { ConflictError, type Engine } from "../../embedded/engine/engine.js";
import type { DocumentVersion } from "../../embedded/engine/documents.js";
import type { Transaction } from "../../embedded/engine/transaction.js";
import type { PendingWrite } from "../../embedded/engine/writeSet.js";

/** What a held function is answered with; it is no conflict, so it is not tried again. */
const HELD = "held at its commit";

export class Interleaving {
  readonly #engine: Engine;
  readonly #commit: Engine["commit"];
  readonly #done: PendingWrite[] = [];
  #isHolding = false;
  #held: Transaction | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#commit = engine.commit.bind(engine);
    engine.commit = (tx, extras) => {
      if (!this.#isHolding) return this.#commit(tx, extras);
      this.#held = tx;
      // Whoever ran it ends it when the commit throws; it must outlive that.
      tx.abort = () => undefined;
      throw new Error(HELD);
    };
  }

  /** Runs a mutation up to its commit and holds it there; throws when it did not come so far. */
  async hold(
    run: () => Promise<{ ok: boolean; error?: { message: string } }>,
  ): Promise<Transaction> {
    this.#isHolding = true;
    this.#held = undefined;
    const outcome = await run();
    this.#isHolding = false;
    const held = this.#held as Transaction | undefined;
    if (held === undefined) throw new Error(outcome.error?.message ?? "it committed nothing");
    Reflect.deleteProperty(held, "abort");
    return held;
  }

  /** Commits what is held; hands out the table it lost over, or null when it went through. */
  commit(held: Transaction): string | null {
    try {
      this.#commit(held);
    } catch (error) {
      if (error instanceof ConflictError) return error.table;
      throw error;
    }
    this.#done.push(...held.writes.writes());
    return null;
  }

  /** Puts all documents back as they were before the first commit since the last undo. */
  undo(): void {
    const tx = this.#engine.begin();
    for (const { table, before, after } of this.#done.reverse()) {
      const version: DocumentVersion | null = before ?? after;
      if (version === null) continue;
      const isThere = tx.find(table, version.value._id) !== null;
      if (before === null) tx.removeFrom(table, version.value._id);
      else if (isThere) tx.replaceIn(table, before.value._id, before.value);
      else tx.restoreInto(table, before.value);
    }
    this.#done.length = 0;
    this.#commit(tx);
  }
}
