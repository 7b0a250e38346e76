import type { ReactNode } from "react";
import { Dialog } from "../ui/Dialog.js";
import { NAV } from "./nav.js";

const OTHERS: readonly (readonly [string, string])[] = [
  ["Ctrl K", "go to a page or a job"],
  ["/", "search on this page"],
  ["j / k", "next and previous row"],
  ["x", "select the row"],
  ["Enter", "open the row"],
  ["?", "this list"],
  ["Esc", "close"],
];

/** The list of all keys. */
export function KeysDialog({ onClose }: { onClose: () => void }): ReactNode {
  return (
    <Dialog title="Keys" open onClose={onClose}>
      <dl className="m-0 grid grid-cols-[max-content_1fr] gap-x-6 gap-y-1.5">
        {[...NAV.map(({ key, title }) => [`g ${key}`, title] as const), ...OTHERS].map(
          ([keys, what]) => (
            <div key={keys} className="contents">
              <dt>
                <kbd className="rounded border border-line bg-raised px-1.5 font-mono text-[13px]">
                  {keys}
                </kbd>
              </dt>
              <dd className="m-0 text-muted">{what}</dd>
            </div>
          ),
        )}
      </dl>
    </Dialog>
  );
}
