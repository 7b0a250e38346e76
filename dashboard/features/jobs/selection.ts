import { useRef, useState } from "react";
import type { JobId } from "./jobs.js";

export type Selection = {
  ids: ReadonlySet<JobId>;
  /** With `range`, everything from the row that was toggled last. */
  toggle: (id: JobId, range: boolean) => void;
  toggleAll: () => void;
  clear: () => void;
};

/** Which of the rows are selected; rows that left the list do not count. */
export function useSelection(rows: readonly JobId[]): Selection {
  const [chosen, setChosen] = useState<ReadonlySet<JobId>>(new Set());
  const last = useRef<JobId | null>(null);
  const ids = new Set(rows.filter((id) => chosen.has(id)));
  return {
    ids,
    toggle: (id, range) => {
      const next = new Set(ids);
      const [from, to] = [rows.indexOf(last.current ?? id), rows.indexOf(id)];
      if (range && from >= 0) {
        for (const one of rows.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(one);
      } else if (!next.delete(id)) {
        next.add(id);
      }
      last.current = id;
      setChosen(next);
    },
    toggleAll: () => {
      setChosen(ids.size === rows.length ? new Set() : new Set(rows));
    },
    clear: () => {
      setChosen(new Set());
    },
  };
}
