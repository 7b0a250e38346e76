/** Turns of the event loop. Taken when loaded: tests put fakes in the place of the globals. */
export const { setImmediate: nextTurn, clearImmediate: cancelTurn } = globalThis;
