import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef, useState, type ReactNode } from "react";
import { NAV } from "./nav.js";
import { openPalette, usePaletteOpen } from "./paletteState.js";

// Loaded when they are first asked for: the first page does without dialogs.
const Palette = lazy(async () => ({ default: (await import("./Palette.js")).Palette }));
const KeysDialog = lazy(async () => ({ default: (await import("./KeysDialog.js")).KeysDialog }));

/** How long after `g` its second key counts. */
const CHORD_MS = 1_200;

/** The keys that work everywhere, and what they open. */
export function Keys(): ReactNode {
  const [isHelpOpen, setHelpOpen] = useState(false);
  const isPaletteOpen = usePaletteOpen();
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
    <Suspense>
      {isPaletteOpen && <Palette />}
      {isHelpOpen && (
        <KeysDialog
          onClose={() => {
            setHelpOpen(false);
          }}
        />
      )}
    </Suspense>
  );
}

/** Whether the keys belong to a field or a dialog. */
function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  return target.closest("input, textarea, select, [contenteditable], [role=dialog]") !== null;
}
