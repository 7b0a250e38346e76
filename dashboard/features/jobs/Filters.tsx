import { Link, useNavigate } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import { cx } from "../../lib/cx.js";
import { formatCompact } from "../../lib/format.js";
import { isTerminal, JOB_LOOK, JOB_STATES, TONE_TEXT } from "../../lib/stateLook.js";
import { useStateCounts } from "./jobs.js";
import { QUALIFIERS, type JobsSearch } from "./search.js";
import { ViewsMenu } from "./ViewsMenu.js";

/** Typing is over when nothing came for this long. */
const PAUSE_MS = 250;

/** States with their counts, and the search; both live in the address. */
export function Filters({ search }: { search: JobsSearch }): ReactNode {
  return (
    <div className="mb-3 flex flex-col gap-3">
      <StateLinks search={search} />
      <div className="flex flex-wrap items-center gap-2">
        <SearchBox search={search} />
        <ViewsMenu search={search} />
      </div>
    </div>
  );
}

const PILL =
  "inline-flex min-h-7 items-center gap-1.5 rounded-full border px-2.5 text-[13px] no-underline whitespace-nowrap";

function StateLinks({ search }: { search: JobsSearch }): ReactNode {
  const counts = useStateCounts();
  const states = [undefined, ...JOB_STATES] as const;
  return (
    <nav aria-label="States" className="flex flex-wrap gap-1.5">
      {states.map((state) => {
        const isActive = search.state === state;
        const look = state === undefined ? undefined : JOB_LOOK[state];
        const count = state === undefined ? undefined : counts?.[state];
        // Jobs that are alive are counted whole; of those that ended, the last day's.
        const isLately = state !== undefined && isTerminal(state);
        return (
          <Link
            key={state ?? "all"}
            to="/jobs"
            search={{ ...search, state }}
            aria-current={isActive ? "true" : undefined}
            className={cx(
              PILL,
              isActive
                ? "border-accent bg-accent-soft font-medium text-text"
                : "border-line text-muted hover:border-line-strong hover:text-text",
            )}
          >
            {look !== undefined && (
              <look.Icon size={13} aria-hidden className={TONE_TEXT[look.tone]} />
            )}
            {look?.word ?? "All"}
            {count !== undefined && (
              <span className="tabular-nums">
                {formatCompact(count)}
                {isLately && <span className="text-[11px]"> in 24 h</span>}
              </span>
            )}
          </Link>
        );
      })}
    </nav>
  );
}

function SearchBox({ search }: { search: JobsSearch }): ReactNode {
  const [typed, setTyped] = useState(search.q ?? "");
  // What the address said last: when it says something else than was typed, a link or Back was used.
  const [known, setKnown] = useState(search.q);
  const navigate = useNavigate();
  if (search.q !== known) {
    setKnown(search.q);
    if ((search.q ?? "") !== typed) setTyped(search.q ?? "");
  }
  useEffect(() => {
    const q = typed.trim() === "" ? undefined : typed;
    if (q === search.q) return undefined;
    const timer = setTimeout(() => {
      setKnown(q);
      void navigate({ to: "/jobs", search: { ...search, q }, replace: true });
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [typed, search, navigate]);
  return (
    <label className="relative min-w-0 flex-1">
      <span className="sr-only">Search jobs</span>
      <Search
        size={15}
        aria-hidden
        className="pointer-events-none absolute top-1/2 left-2.5 -translate-y-1/2 text-muted"
      />
      <input
        type="search"
        value={typed}
        placeholder="Title, repository, branch or id; repo:… label:… by:…"
        title={QUALIFIERS.map(([name, what]) => `${name} ${what}`).join("\n")}
        onChange={(event) => {
          setTyped(event.target.value);
        }}
        className="h-8 w-full rounded-md border border-line-strong bg-ground pr-2.5 pl-8 placeholder:text-muted"
      />
    </label>
  );
}
