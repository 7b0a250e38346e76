/** Lines that are kept when nothing in them looks like a reason. */
const LINES_MAX = 3;
const CHARS_MAX = 2_000;

/**
 * Why a program ended, out of what it wrote on stderr: the lines that name an error, otherwise the last
 * plain ones. Structured log lines and stack frames are for its log, not for the person.
 */
export function lastWords(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim());
  const plain = lines.filter((line) => line !== "" && !/^(?:\{"|at |Node\.js v)/.test(line));
  const reasons = plain.filter((line) => /^✖|^(?:\w*Error|error|fatal)\b.*: /.test(line));
  const told = reasons.length > 0 ? reasons : plain.slice(-LINES_MAX);
  const words = told.length > 0 ? told : lines.filter((line) => line !== "").slice(-1);
  return words
    .map((line) => line.replace(/^✖ /, ""))
    .join(" ")
    .slice(0, CHARS_MAX);
}
