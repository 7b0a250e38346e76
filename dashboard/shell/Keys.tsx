import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { Dialog } from "../ui/Dialog.js";
import { NAV } from "./nav.js";
import { Palette } from "./Palette.js";
import { openPalette } from "./paletteState.js";

/** How long after `g` its second key counts. */
const CHORD_MS = 1_200;

const OTHERS: readonly (readonly [string, string])[] = [
  ["Ctrl K", "go to a page or a job"],
  ["/", "search on this page"],
  ["j / k", "next and previous row"],
  ["x", "select the row"],
  ["Enter", "open the row"],
  ["?", "this list"],
  ["Esc", "close"],
];

/** The keys that work everywhere, and the list of them. */
export function Keys(): ReactNode {
  const [isHelpOpen, setHelpOpen] = useState(false);
  const goAt = useRef(-Infinity);
  const navigate = useNavigate();
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        openPalette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const page = NAV.find(({ key }) => key === event.key);
      if (event.timeStamp - goAt.current < CHORD_MS && page !== undefined) {
        goAt.current = -Infinity;
        event.preventDefault();
        void navigate({ to: page.to });
      } else if (event.key === "g") {
        goAt.current = event.timeStamp;
      } else if (event.key === "?") {
        setHelpOpen(true);
      } else if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>("main input[type=search]");
        if (search === null) return;
        event.preventDefault();
        search.focus();
        search.select();
      }
    };
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("keydown", onKey);
    };
  }, [navigate]);
  return (
    <>
      <Palette />
      <Dialog
        title="Keys"
        open={isHelpOpen}
        onClose={() => {
          setHelpOpen(false);
        }}
      >
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
    </>
  );
}

/** Whether the keys belong to a field or a dialog. */
function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  return target.closest("input, textarea, select, [contenteditable], [role=dialog]") !== null;
}
