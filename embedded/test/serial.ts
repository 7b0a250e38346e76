/** Lets transactions run one after the other, so that none conflicts and no inline function runs twice. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();

  async run<T>(body: () => Promise<T>): Promise<T> {
    const mine = this.#tail.then(body);
    this.#tail = mine.catch(() => undefined);
    return await mine;
  }
}
