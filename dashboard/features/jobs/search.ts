import { JOB_STATES } from "../../lib/stateLook.js";
import { searchSchema, searchText, searchWord } from "../../lib/search.js";

export const jobsSearch = searchSchema({
  state: searchWord(JOB_STATES),
  q: searchText,
});
