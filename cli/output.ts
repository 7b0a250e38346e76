/**
 * The command line's two voices: data on stdout, talk on stderr. On a terminal one progress line is
 * kept below the talk and redrawn; elsewhere a progress line is written once each time it changes.
 */
export type Output = {
  /** Results that a program may read. */
  data: (text: string) => void;
  /** Everything else. */
  say: (text: string) => void;
  /** Replaces the progress line; the same text again is nothing new. */
  progress: (text: string) => void;
  /** Takes the progress line away. */
  endProgress: () => void;
};

export type Stream = { isTTY?: boolean; columns?: number; write: (text: string) => unknown };

/** Talk and data over the given streams (those of the process unless told). */
export function createOutput(
  stdout: Stream = process.stdout,
  stderr: Stream = process.stderr,
): Output {
  const isTerminal = stderr.isTTY === true;
  let shown = "";
  const clear = (): void => {
    if (isTerminal && shown !== "") stderr.write("\r\u001b[2K");
  };
  const draw = (): void => {
    // One column stays free: a line that fills the width would wrap and could not be taken back.
    if (shown !== "") stderr.write(shown.slice(0, Math.max((stderr.columns ?? 80) - 1, 1)));
  };
  return {
    data: (text) => {
      clear();
      stdout.write(`${text}\n`);
      if (isTerminal) draw();
    },
    say: (text) => {
      clear();
      stderr.write(`${printable(text)}\n`);
      if (isTerminal) draw();
    },
    progress: (text) => {
      if (text === shown) return;
      clear();
      shown = text;
      if (isTerminal) draw();
      else stderr.write(`${text}\n`);
    },
    endProgress: () => {
      clear();
      shown = "";
    },
  };
}

/**
 * Text from a job must not steer the terminal, nor look like other text: control characters other than
 * tab and newline go, and what turns the direction of writing around.
 */
export function printable(text: string): string {
  const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
  const turning = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
  return text.replace(steering, "").replace(turning, "");
}
