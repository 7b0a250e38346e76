/**
 * Lets queries and mutations start one after the other. Most run from start to commit without
 * waiting for anything outside, and then running several at once would only make them conflict and
 * need more isolates. One that does wait, past the next turn of the event loop, makes way.
 */
import { cancelTurn, nextTurn } from "./turns.js";

export class Lane {
  #tail: Promise<void> | null = null;

  async run<T>(body: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    let leave: () => void = () => undefined;
    const mine = new Promise<void>((resolve) => {
      leave = () => {
        // Later arrivals chained themselves on us and took over the tail.
        if (this.#tail === mine) this.#tail = null;
        resolve();
      };
    });
    this.#tail = mine;
    if (before !== null) await before;
    // One turn is what a function takes that waits for nothing: its rejections show at the end of it.
    let turn = nextTurn(() => {
      turn = nextTurn(leave);
    });
    try {
      return await body();
    } finally {
      cancelTurn(turn);
      leave();
    }
  }
}
