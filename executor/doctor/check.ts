/** What the doctor found in one place: `warn` works but will not for long, or not well. */
export type Finding = {
  /** A few words, the same on every machine: scripts look for them. */
  name: string;
  status: "ok" | "warn" | "fail";
  says: string;
  /** What to do about it; absent when nothing is wrong. */
  fix?: string;
};

export const ok = (name: string, says: string): Finding => ({ name, status: "ok", says });
export const warn = (name: string, says: string, fix: string): Finding => {
  return { name, status: "warn", says, fix };
};
export const fail = (name: string, says: string, fix: string): Finding => {
  return { name, status: "fail", says, fix };
};
