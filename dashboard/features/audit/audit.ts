/** What the page of the audit reads. */
import { useAction, usePaginatedQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";
import type { AuditFilter } from "../../../convex/protocol/identity.js";

export const PAGE_LINES = 50;
const EXPORT_PAGES_MAX = 500;

/** The lines that meet a filter, newest first. */
export function useAudit(filter: AuditFilter) {
  return usePaginatedQuery(api.audit.list, { filter }, { initialNumItems: PAGE_LINES });
}

/** All lines that meet a filter, oldest first, as JSON lines; tells how many there are so far. */
export function useExport() {
  const exportPage = useAction(api.audit.export);
  return async (filter: AuditFilter, onProgress: (count: number) => void): Promise<string> => {
    const parts: string[] = [];
    let cursor: string | null = null;
    let count = 0;
    for (let page = 0; page < EXPORT_PAGES_MAX; page += 1) {
      const reply: Awaited<ReturnType<typeof exportPage>> = await exportPage({ filter, cursor });
      parts.push(reply.lines);
      count += reply.count;
      onProgress(count);
      if (reply.isDone) return parts.join("");
      cursor = reply.cursor;
    }
    throw new Error(`There are more than ${count} lines: narrow the time down.`);
  };
}
