import { lstat, opendir } from "node:fs/promises";
import path from "node:path";

/** Names below `objects/info` by which git takes objects from elsewhere (gitrepository-layout(5)). */
const ELSEWHERE = ["alternates", "http-alternates"];
/** Files that one look takes in; a clone with more is not looked into. */
const ENTRIES_MAX = 1_000_000;

/**
 * Throws unless the objects of a clone are its own. Git follows alternates and links wherever they lead,
 * with the rights of whoever runs it: objects of other repositories would be told to a run that knows
 * their hashes. A clone is a copy and needs neither. Nothing is removed: through a link, that would be
 * done elsewhere.
 */
export async function requireOwnObjects(repo: string): Promise<void> {
  for (const name of [".git", ".git/objects"]) {
    const stat = await lstat(path.join(repo, name));
    if (!stat.isDirectory()) throw new Error(`the clone's ${name} is no folder`);
  }
  const folders = [".git/objects"];
  let entries = 0;
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for await (const entry of await opendir(path.join(repo, at))) {
      entries += 1;
      if (entries > ENTRIES_MAX) throw new Error("the clone has too many objects");
      const name = `${at}/${entry.name}`;
      if (at === ".git/objects/info" && ELSEWHERE.includes(entry.name)) {
        throw new Error(`the clone takes objects from elsewhere, by its ${name}`);
      }
      if (entry.isDirectory()) folders.push(name);
      else if (!entry.isFile()) throw new Error(`the clone's ${name} is no regular file`);
    }
  }
}
