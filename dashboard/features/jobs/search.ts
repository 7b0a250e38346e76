/** The filters of the jobs list: what stands in the address, and what it means for the backend. */
import { formatActor } from "../../lib/format.js";
import { JOB_STATES } from "../../lib/stateLook.js";
import { searchSchema, searchText, searchWord } from "../../lib/search.js";
import type { BulkFilter } from "../../../convex/protocol/queue.js";

export const jobsSearch = searchSchema({
  state: searchWord(JOB_STATES),
  q: searchText,
});
export type JobsSearch = ReturnType<typeof jobsSearch>;

/** `repo:` and the like; what the words after them look for. */
export const QUALIFIERS = [
  ["repo:", "owner/name, host/owner/name or a path"],
  ["label:", "an executor label that the job asks for"],
  ["by:", "who submitted it"],
] as const;

/** What the address asks for, as the backend's filter. Words without a qualifier are one text. */
export function filterOf({ state, q = "" }: JobsSearch): BulkFilter {
  const words = q.split(/\s+/).filter((word) => word !== "");
  const value = (qualifier: string): string | undefined => {
    const found = words.findLast((word) => word.startsWith(qualifier))?.slice(qualifier.length);
    return found === "" ? undefined : found;
  };
  const isPlain = (word: string): boolean => !QUALIFIERS.some(([name]) => word.startsWith(name));
  const text = words.filter(isPlain).join(" ");
  const [repo, label, by] = [value("repo:"), value("label:"), value("by:")];
  return {
    ...(state === undefined ? {} : { state }),
    ...(text === "" ? {} : { text: text.slice(0, 100) }),
    ...(repo === undefined ? {} : { repository: repositoryOf(repo) }),
    ...(label === undefined ? {} : { label }),
    ...(by === undefined ? {} : { submittedBy: submitterOf(by) }),
  };
}

/** "owner/name" is of GitHub. */
function repositoryOf(typed: string): string {
  const isShort = !typed.startsWith("/") && typed.split("/").length === 2;
  return isShort ? `github.com/${typed}` : typed;
}

/** A plain name is of a person; others name themselves: `operator`. */
function submitterOf(typed: string): string {
  return typed === "operator" || formatActor(typed) !== typed ? typed : `user:${typed}`;
}
