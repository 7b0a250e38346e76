/** The filters of the audit: what stands in the address, and what it means for the backend. */
import type { AuditFilter } from "../../../convex/protocol/identity.js";
import { searchSchema, searchText } from "../../lib/search.js";

/** `from` and `to` as `datetime-local` fields say them, in the reader's own zone. */
export const auditSearch = searchSchema({
  actor: searchText,
  action: searchText,
  target: searchText,
  from: searchText,
  to: searchText,
});
export type AuditSearch = ReturnType<typeof auditSearch>;

/** Actors that are no person and have no kind before their name. */
const PLAIN_ACTORS = ["operator", "anonymous", "system"];

/** What the address asks for; a plain name is of a person, and what is no time is left out. */
export function filterOf({ actor, action, target, from, to }: AuditSearch): AuditFilter {
  const times = { from: timeOf(from), to: timeOf(to) };
  return {
    ...(isGiven(actor) ? { actor: actorOf(actor.trim()) } : {}),
    ...(isGiven(action) ? { action: action.trim() } : {}),
    ...(isGiven(target) ? { target: target.trim() } : {}),
    ...(times.from === undefined ? {} : { from: times.from }),
    ...(times.to === undefined ? {} : { to: times.to }),
  };
}

const isGiven = (text: string | undefined): text is string =>
  text !== undefined && text.trim() !== "";

const actorOf = (typed: string): string =>
  typed.includes(":") || PLAIN_ACTORS.includes(typed) ? typed : `user:${typed}`;

function timeOf(text: string | undefined): number | undefined {
  const at = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
