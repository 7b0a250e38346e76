/** How this browser likes its logs. */
import { useState } from "react";
import { readStored, writeStored } from "../../../lib/storage.js";

export type Preferences = { hasTimes: boolean; wraps: boolean };
const NAMES = { hasTimes: "log.times", wraps: "log.wraps" } as const;
/** Narrower than this, long lines are wrapped unless somebody chose otherwise. */
const PHONE = "(max-width: 767px)";

export function usePreferences(): [Preferences, (change: Partial<Preferences>) => void] {
  const [preferences, setPreferences] = useState<Preferences>(() => ({
    hasTimes: readStored(NAMES.hasTimes) === "yes",
    wraps: (readStored(NAMES.wraps) ?? (matchMedia(PHONE).matches ? "yes" : "no")) === "yes",
  }));
  const change = (next: Partial<Preferences>): void => {
    for (const name of ["hasTimes", "wraps"] as const) {
      if (next[name] !== undefined) writeStored(NAMES[name], next[name] ? "yes" : "no");
    }
    setPreferences({ ...preferences, ...next });
  };
  return [preferences, change];
}
