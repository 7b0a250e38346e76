/** Light, dark, or as the system has it. public/theme.js does the same before the first paint. */
import { useSyncExternalStore } from "react";
import { readStored, watchStored, writeStored } from "./storage.js";

const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const NAME = "theme";
const listeners = new Set<() => void>();
let chosen = parse(readStored(NAME));

function parse(text: string | null): Theme {
  return THEMES.find((theme) => theme === text) ?? "system";
}

function apply(): void {
  const isDark =
    chosen === "dark" ||
    (chosen === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset["theme"] = isDark ? "dark" : "light";
}

function take(next: Theme): void {
  chosen = next;
  apply();
  for (const listener of listeners) listener();
}

/** Keeps the theme applied from now on, whatever page is shown: once, when the page starts. */
export function keepTheme(): void {
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  watchStored(NAME, (text) => {
    take(parse(text));
  });
}

/** The chosen theme, and how to choose another. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const theme = useSyncExternalStore(subscribe, () => chosen);
  return [theme, chooseTheme];
}

function chooseTheme(next: Theme): void {
  writeStored(NAME, next === "system" ? null : next);
  take(next);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}
