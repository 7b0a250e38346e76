import type { optimisticallyUpdateValueInPaginatedQuery } from "convex/react";

/** What the page holds of the backend's answers: what a change is shown in before the backend has said it. */
export type AnswerStore = Parameters<typeof optimisticallyUpdateValueInPaginatedQuery>[0];
