import { opendir } from "node:fs/promises";
import path from "node:path";

/** What patterns found in a tree; all names are relative to it, with slashes. */
export type FoundFiles = {
  /** Regular files, in the order of their names. */
  files: string[];
  /** What matched and is no regular file: a link, a pipe, a device. */
  others: string[];
  unmatched: string[];
  /** The tree is larger or deeper than was looked at. */
  isCut: boolean;
};

const ENTRIES_MAX = 200_000;
const DEPTH_MAX = 64;
/** Names kept of what matched: far more than may be kept of an attempt. */
const MATCHES_MAX = 1_000;
const READ_AT_ONCE = 512;

/**
 * Looks for files by patterns of names with `*` and `?`, where `**` stands for any number of folders.
 * Goes through no link and into no `.git`. Stops when `signal` is aborted, and then says so by isCut.
 */
export async function findFiles(
  root: string,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<FoundFiles> {
  const matcher = patterns.map((pattern) => pattern.split("/"));
  const found: FoundFiles = { files: [], others: [], unmatched: [], isCut: false };
  const hits = new Set<number>();
  let looked = 0;
  const visit = async (folder: string, states: State[], depth: number): Promise<void> => {
    const entries = await opendir(path.join(root, folder), { bufferSize: READ_AT_ONCE });
    for await (const entry of entries) {
      looked += 1;
      found.isCut ||= looked > ENTRIES_MAX || signal.aborted;
      if (found.isCut) return;
      if (entry.name.toLowerCase() === ".git") continue;
      const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
      const { next, matched } = step(matcher, states, entry.name);
      if (entry.isDirectory()) {
        if (next.length === 0) continue;
        if (depth >= DEPTH_MAX) found.isCut = true;
        else await visit(name, next, depth + 1);
        continue;
      }
      if (matched.length === 0) continue;
      for (const pattern of matched) hits.add(pattern);
      const list = entry.isFile() ? found.files : found.others;
      if (list.length < MATCHES_MAX) list.push(name);
      else found.isCut = true;
    }
  };
  const start = matcher.map((_, pattern): State => ({ pattern, at: 0 }));
  await visit("", start, 0);
  found.files.sort();
  found.others.sort();
  found.unmatched = patterns.filter((_, pattern) => !hits.has(pattern));
  return found;
}

/** So far, names up to part `at` of this pattern were matched. */
type State = Readonly<{ pattern: number; at: number }>;

/** What is left to match below a folder of this name, and the patterns that a file of it matches. */
function step(
  patterns: readonly (readonly string[])[],
  states: readonly State[],
  name: string,
): { next: State[]; matched: number[] } {
  const next = new Map<string, State>();
  const matched = new Set<number>();
  const reach = (state: State): void => {
    next.set(`${state.pattern}:${state.at}`, state);
  };
  const take = ({ pattern, at }: State): void => {
    const parts = patterns[pattern] ?? [];
    const part = parts[at];
    const isLast = at === parts.length - 1;
    if (part === "**") {
      reach({ pattern, at });
      if (isLast) matched.add(pattern);
      // It also stands for no folder at all.
      else take({ pattern, at: at + 1 });
    } else if (part !== undefined && isMatch(part, name)) {
      if (isLast) matched.add(pattern);
      else reach({ pattern, at: at + 1 });
    }
  };
  for (const state of states) take(state);
  return { next: [...next.values()], matched: [...matched] };
}

/** Whether a name is of this form, where `*` stands for any characters and `?` for one. Pure, linear. */
export function isMatch(form: string, name: string): boolean {
  let [f, n] = [0, 0];
  let star: { f: number; n: number } | undefined;
  while (n < name.length) {
    if (form[f] === "*") {
      star = { f, n };
      f += 1;
    } else if (form[f] === "?" || form[f] === name[n]) {
      f += 1;
      n += 1;
    } else if (star !== undefined) {
      star.n += 1;
      f = star.f + 1;
      n = star.n;
    } else {
      return false;
    }
  }
  return /^\**$/.test(form.slice(f));
}
