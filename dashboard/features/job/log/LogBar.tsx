import {
  ArrowDown,
  ArrowUp,
  Clock,
  Download,
  FoldVertical,
  UnfoldVertical,
  WrapText,
} from "lucide-react";
import type { ReactNode } from "react";
import { saveFile } from "../../../lib/download.js";
import { formatCount, formatShare, plural } from "../../../lib/format.js";
import { IconButton } from "../../../ui/Button.js";
import { NO_FOLDS, type Folds, type LogModel } from "./model.js";
import type { Preferences } from "./preferences.js";

type Find = {
  query: string;
  hits: number;
  /** Number of the hit one is at; -1 before the first. */
  at: number;
  setQuery: (text: string) => void;
  /** To the next hit, or with -1 to the one before. */
  go: (step: 1 | -1) => void;
};

export type BarProps = {
  name: string;
  model: LogModel;
  /** How much of the log is here, from 0 to 1; null when all is. */
  loading: number | null;
  find: Find;
  preferences: Preferences;
  onPreferences: (change: Partial<Preferences>) => void;
  folds: Folds;
  onFolds: (folds: Folds) => void;
};

/** Search in all lines, and how the log is shown. */
export function LogBar(props: BarProps): ReactNode {
  const { name, model, loading, find } = props;
  return (
    <div className="flex flex-wrap items-center gap-x-2 gap-y-1.5 border-b border-line px-2 py-1.5">
      <Search find={find} />
      <span className="flex-1" />
      <span role="status" className="px-1 text-[13px] text-muted tabular-nums">
        {loading === null
          ? plural(model.lines.length, "line")
          : `Loading the beginning, ${formatShare(loading)}`}
      </span>
      <Views {...props} />
      <IconButton
        name="Download the log"
        icon={<Download size={15} aria-hidden />}
        unable={loading === null ? undefined : "It is still being loaded."}
        onClick={() => {
          saveFile(`${name}.log`, new Blob([textOf(model)], { type: "text/plain" }));
        }}
      />
    </div>
  );
}

function Search({ find: { query, hits, at, setQuery, go } }: { find: Find }): ReactNode {
  const none = hits === 0 ? "Nothing matches." : undefined;
  return (
    <div className="flex min-w-0 items-center gap-1 max-md:w-full">
      <input
        type="search"
        aria-label="Search the log"
        placeholder="Search the log"
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          go(event.shiftKey ? -1 : 1);
        }}
        className="h-7 w-full min-w-0 rounded-md border border-line-strong bg-ground px-2 text-[13px] placeholder:text-muted md:w-60"
      />
      {query !== "" && (
        <>
          <span
            role="status"
            className="px-1 text-[13px] whitespace-nowrap text-muted tabular-nums"
          >
            {at >= 0
              ? `${formatCount(at + 1)} of ${formatCount(hits)}`
              : plural(hits, "match", "matches")}
          </span>
          <IconButton
            name="Previous match"
            icon={<ArrowUp size={15} aria-hidden />}
            unable={none}
            onClick={() => {
              go(-1);
            }}
          />
          <IconButton
            name="Next match"
            icon={<ArrowDown size={15} aria-hidden />}
            unable={none}
            onClick={() => {
              go(1);
            }}
          />
        </>
      )}
    </div>
  );
}

function Views({ model, preferences, onPreferences, folds, onFolds }: BarProps): ReactNode {
  const { hasTimes, wraps } = preferences;
  const isFolded = folds.turns.size > 0 || folds.tools.size > 0;
  return (
    <>
      <IconButton
        name={isFolded ? "Unfold everything" : "Fold what tools answered"}
        icon={
          isFolded ? (
            <UnfoldVertical size={15} aria-hidden />
          ) : (
            <FoldVertical size={15} aria-hidden />
          )
        }
        onClick={() => {
          onFolds(isFolded ? NO_FOLDS : { turns: new Set(), tools: new Set(model.tools.keys()) });
        }}
      />
      <IconButton
        name="Times"
        aria-pressed={hasTimes}
        className={hasTimes ? "bg-sunken text-text" : ""}
        icon={<Clock size={15} aria-hidden />}
        onClick={() => {
          onPreferences({ hasTimes: !hasTimes });
        }}
      />
      <IconButton
        name="Wrap long lines"
        aria-pressed={wraps}
        className={wraps ? "bg-sunken text-text" : ""}
        icon={<WrapText size={15} aria-hidden />}
        onClick={() => {
          onPreferences({ wraps: !wraps });
        }}
      />
    </>
  );
}

/** The log as a file: each line with the time and the kind of its entry. */
function textOf({ lines, entries }: LogModel): string {
  const texts = lines.map(({ seq, kind, text }) => {
    const { at } = entries[seq] ?? { at: 0 };
    return `${new Date(at).toISOString()} ${kind.padEnd(10)} ${text}\n`;
  });
  return texts.join("");
}
