/** Resolves with null at Ctrl-C, never before: to be raced with what a command waits for. */
export function interrupted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    const stop = (): void => {
      resolve(null);
    };
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
}
