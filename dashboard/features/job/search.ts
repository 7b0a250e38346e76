/** What the address of a job's page says beside the job. */
import { searchNumber, searchSchema, searchWord } from "../../lib/search.js";

export const JOB_TABS = [
  "activity",
  "log",
  "result",
  "changes",
  "artifacts",
  "attempts",
  "details",
] as const;
export type JobTab = (typeof JOB_TABS)[number];

const ATTEMPT_MAX = 10_000;

/** `attempt`: which one activity, log, result, changes and artifacts are of; the latest unless told. */
export const jobSearch = searchSchema({
  tab: searchWord(JOB_TABS),
  attempt: searchNumber(1, ATTEMPT_MAX),
});
