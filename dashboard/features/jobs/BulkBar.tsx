import { Ban, RotateCcw, X } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { BulkFilter } from "../../../convex/protocol/queue.js";
import { plural } from "../../lib/format.js";
import { useUnable } from "../../session/me.js";
import { Button, IconButton } from "../../ui/Button.js";
import { CopyButton } from "../../ui/CopyButton.js";
import { ConfirmDialog } from "../../ui/Dialog.js";
import type { Bulk } from "./BulkDialog.js";
import type { Selection } from "./selection.js";

type BarProps = {
  selection: Selection;
  filter: BulkFilter;
  shown: number;
  hasMore: boolean;
  onStart: (bulk: Bulk) => void;
};

/** What can be done to the selected jobs, or to all that match, shown or not. */
export function BulkBar({ selection, filter, shown, hasMore, onStart }: BarProps): ReactNode {
  const [isEverything, setEverything] = useState(false);
  const [asked, setAsked] = useState<Bulk["action"] | null>(null);
  const count = selection.ids.size;
  // "All that match" is said for one selection, and asked for anew with the next.
  if (count === 0 && isEverything) setEverything(false);
  if (count === 0) return null;
  const isAll = isEverything && count === shown;
  const whom = isAll ? "all jobs that match the filter" : plural(count, "job");
  const start = (action: Bulk["action"]): void => {
    onStart(
      isAll ? { action, filter: boundedFilter(filter) } : { action, jobIds: [...selection.ids] },
    );
  };
  return (
    <div
      role="region"
      aria-label="Selection"
      className="sticky bottom-16 z-20 mt-3 flex flex-wrap items-center gap-2 rounded-lg border border-line-strong bg-ground px-3 py-2 shadow-pop md:bottom-4"
    >
      <span className="font-medium">{isAll ? "All that match" : `${count} selected`}</span>
      {count === shown && hasMore && !isAll && (
        <Button
          size="small"
          kind="quiet"
          onClick={() => {
            setEverything(true);
          }}
        >
          Select all that match, also those not shown
        </Button>
      )}
      <span className="flex-1" />
      <CopyButton name="Copy the ids" text={[...selection.ids].join("\n")} />
      <Actions
        onRetry={() => {
          start("retry");
        }}
        onCancel={() => {
          setAsked("cancel");
        }}
      />
      <IconButton
        name="Clear the selection"
        icon={<X size={15} aria-hidden />}
        onClick={() => {
          setEverything(false);
          selection.clear();
        }}
      />
      <ConfirmDialog
        title={`Cancel ${whom}?`}
        action={`Cancel ${whom}`}
        open={asked !== null}
        onClose={() => {
          setAsked(null);
        }}
        onConfirm={() => {
          start("cancel");
          return Promise.resolve();
        }}
      >
        What runs is stopped; what it did so far stays in its log. Jobs that have ended are left as
        they are. A canceled job can be retried.
      </ConfirmDialog>
    </div>
  );
}

/** A bulk operation wants a condition: everything until now is one. */
function boundedFilter(filter: BulkFilter): BulkFilter {
  return Object.keys(filter).length > 0 ? filter : { to: Date.now() };
}

function Actions({ onRetry, onCancel }: { onRetry: () => void; onCancel: () => void }): ReactNode {
  const unable = useUnable("operator");
  return (
    <>
      <Button
        size="small"
        icon={<RotateCcw size={14} aria-hidden />}
        unable={unable}
        onClick={onRetry}
      >
        Retry
      </Button>
      <Button
        size="small"
        kind="danger"
        icon={<Ban size={14} aria-hidden />}
        unable={unable}
        onClick={onCancel}
      >
        Cancel
      </Button>
    </>
  );
}
