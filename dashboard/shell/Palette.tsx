import { useNavigate } from "@tanstack/react-router";
import { useId, useState, type KeyboardEvent, type ReactNode } from "react";
import { cx } from "../lib/cx.js";
import { Dialog } from "../ui/Dialog.js";
import { NAV } from "./nav.js";
import { closePalette } from "./paletteState.js";

type Choice = { title: string; hint: string; go: () => void };
/** An id as the backend gives them. */
const JOB_ID = /^[0-9a-z]{20,40}$/;

/** Go anywhere by typing: pages, a job by its id, jobs by words. */
export function Palette(): ReactNode {
  return (
    <Dialog title="Go to" open onClose={closePalette}>
      <Choices />
    </Dialog>
  );
}

function Choices(): ReactNode {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const choices = useChoices(text.trim());
  const listId = useId();
  const active = Math.min(at, choices.length - 1);
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      setAt((active + step + choices.length) % choices.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      choices[active]?.go();
    }
  };
  return (
    <>
      <input
        role="combobox"
        aria-label="Page, job id, or words to search jobs for"
        aria-expanded
        aria-controls={listId}
        aria-activedescendant={`${listId}-${active}`}
        autoFocus
        value={text}
        placeholder="Page, job id, or words to search jobs for"
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
        className="h-9 w-full rounded-md border border-line-strong bg-ground px-3 placeholder:text-muted"
      />
      <ul id={listId} role="listbox" aria-label="Choices" className="m-0 mt-2 list-none p-0">
        {choices.map(({ title, hint, go }, index) => (
          // The keyboard goes through the input, which has the focus.
          <li
            key={title}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === active}
            onClick={go}
            className={cx(
              "flex min-h-9 cursor-pointer items-center justify-between gap-4 rounded-md px-3",
              index === active && "bg-sunken",
            )}
          >
            {title}
            <span className="text-[13px] text-muted">{hint}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function useChoices(text: string): Choice[] {
  const navigate = useNavigate();
  const words = text.toLowerCase();
  const pages = NAV.filter(({ title }) => title.toLowerCase().includes(words)).map((entry) => ({
    title: entry.title,
    hint: `g ${entry.key}`,
    go: () => {
      closePalette();
      void navigate({ to: entry.to });
    },
  }));
  if (text === "") return pages;
  const search = {
    title: `Search jobs for “${text}”`,
    hint: "jobs",
    go: () => {
      closePalette();
      void navigate({ to: "/jobs", search: { q: text } });
    },
  };
  return JOB_ID.test(text) ? [search] : [...pages, search];
}
