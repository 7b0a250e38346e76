/** Lets a bounded number of pieces of work run at a time; the others wait in order of arrival. */
export class Slots {
  readonly #max: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  async run<T>(body: () => Promise<T> | T): Promise<T> {
    if (this.#taken >= this.#max) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    } else {
      this.#taken += 1;
    }
    try {
      return await body();
    } finally {
      // The slot goes to the next in line, or is free.
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken -= 1;
      else next();
    }
  }
}
