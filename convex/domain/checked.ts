/** Answer of a check of what somebody typed: the value to use, or one sentence on what is wrong. */
export type Checked<T> = { ok: true; value: T } | { ok: false; message: string };

export const passed = <T>(value: T): Checked<T> => ({ ok: true, value });
export const refused = (message: string): { ok: false; message: string } => ({
  ok: false,
  message,
});

/** A quotation for messages: printable ASCII, cut, so that an argument cannot forge a log line. */
export function quote(text: string): string {
  const safe = text.slice(0, 80).replace(/[^\x20-\x7e]/g, "?");
  return `"${safe}${text.length > 80 ? "…" : ""}"`;
}
