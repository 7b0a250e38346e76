/** Light, dark, or as the system has it. public/theme.js does the same before the first paint. */
import { useEffect, useState } from "react";
import { readStored, writeStored } from "./storage.js";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const isTheme = (text: string | null): text is Theme => THEMES.some((theme) => theme === text);

/** The chosen theme, kept applied, and how to choose another. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(() => {
    const stored = readStored("theme");
    return isTheme(stored) ? stored : "system";
  });
  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const apply = (): void => {
      const isDark = theme === "dark" || (theme === "system" && dark.matches);
      document.documentElement.dataset["theme"] = isDark ? "dark" : "light";
    };
    apply();
    dark.addEventListener("change", apply);
    return () => {
      dark.removeEventListener("change", apply);
    };
  }, [theme]);
  const choose = (next: Theme): void => {
    writeStored("theme", next === "system" ? null : next);
    setTheme(next);
  };
  return [theme, choose];
}
