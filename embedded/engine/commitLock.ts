/**
 * Lets one transaction run while no other may commit: the last resort of a mutation that keeps
 * losing to others. Holders queue in order of arrival.
 */
export class CommitLock {
  #tail: Promise<void> | null = null;

  /** Resolves when nobody holds it; at once in the common case. */
  async whenFree(): Promise<void> {
    while (this.#tail !== null) await this.#tail;
  }

  get isHeld(): boolean {
    return this.#tail !== null;
  }

  async exclusive<T>(body: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    let release: () => void = () => undefined;
    const mine = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#tail = mine;
    try {
      await before;
      return await body();
    } finally {
      // Later arrivals chained themselves on us and took over the tail.
      if (this.#tail === mine) this.#tail = null;
      release();
    }
  }
}
