/** Named filters: a few that everybody has, and those that were saved in this browser. */
import { useState } from "react";
import * as z from "zod/mini";
import { readStored, writeStored } from "../../lib/storage.js";
import { jobsSearch, type JobsSearch } from "./search.js";

const NAME = "views";
const VIEWS_MAX = 50;
export const VIEW_NAME_CHARS_MAX = 40;

export type View = { name: string; search: JobsSearch };

const stored = z.array(z.object({ name: z.string(), search: z.record(z.string(), z.unknown()) }));

/** Views that are always there. */
export function systemViews(username: string): View[] {
  return [
    { name: "All jobs", search: {} },
    { name: "Submitted by me", search: { q: `by:${username}` } },
    { name: "Mine that failed", search: { q: `by:${username}`, state: "failed" } },
    { name: "Waiting for something", search: { state: "waiting" } },
  ];
}

/** The saved ones, and how to save the current filter and to remove one. */
export function useSavedViews() {
  const [views, setViews] = useState(readViews);
  const keep = (next: View[]): void => {
    writeStored(NAME, JSON.stringify(next));
    setViews(next);
  };
  return {
    views,
    save: (view: View) => {
      keep([...views.filter(({ name }) => name !== view.name), view].slice(-VIEWS_MAX));
    },
    remove: (name: string) => {
      keep(views.filter((view) => view.name !== name));
    },
  };
}

function readViews(): View[] {
  try {
    const parsed = stored.safeParse(JSON.parse(readStored(NAME) ?? "[]"));
    if (!parsed.success) return [];
    return parsed.data.map(({ name, search }) => ({ name, search: jobsSearch(search) }));
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
