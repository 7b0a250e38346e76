/** Where time comes from: whole milliseconds since the epoch. */
export type Clock = {
  nowMs(): number;
  /** Resolves after about that time; timers of the system unless a simulation has its own. */
  pause?(ms: number): Promise<void>;
};

export const systemClock: Clock = { nowMs: () => Date.now() };
