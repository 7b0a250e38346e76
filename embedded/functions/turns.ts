/** Turns of the event loop, and timers. Taken when loaded: tests put fakes in the place of the globals. */
export const {
  setImmediate: nextTurn,
  clearImmediate: cancelTurn,
  setTimeout: startTimer,
  clearTimeout: stopTimer,
} = globalThis;
