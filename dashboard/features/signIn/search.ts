import { searchSchema, searchText } from "../../lib/search.js";

/** `to`: where to go once signed in. */
export const signInSearch = searchSchema({ to: searchText });

/** An address of this page's own, whatever the search says: nobody is sent elsewhere. */
export function ownAddress(to: string | undefined): string {
  return to !== undefined && /^\/(?![/\\])/.test(to) ? to : "/";
}
