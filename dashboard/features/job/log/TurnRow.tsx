import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "../../../lib/cx.js";
import { formatDuration, plural } from "../../../lib/format.js";
import type { Folds, LogModel } from "./model.js";

/** Tools that the head of a turn names. */
const NAMED_MAX = 4;

type TurnProps = {
  model: LogModel;
  turn: number;
  folds: Folds;
  onFolds: (folds: Folds) => void;
};

/** The head of a turn: which, how long, what it called; folds it away. */
export function TurnRow({ model, turn, folds, onFolds }: TurnProps): ReactNode {
  const row = model.turns[turn];
  if (row === undefined) return null;
  const isFolded = folds.turns.has(turn);
  const name = turn === 0 ? "Set-up" : `Turn ${turn}`;
  const tools = [...new Set(row.tools)];
  return (
    <button
      type="button"
      aria-expanded={!isFolded}
      onClick={() => {
        onFolds({ ...folds, turns: toggled(folds.turns, turn) });
      }}
      className="sticky left-0 flex h-6 w-full items-center gap-2 bg-raised px-2 text-left font-sans text-[12px] text-muted"
    >
      <ChevronRight size={14} aria-hidden className={cx("shrink-0", !isFolded && "rotate-90")} />
      <span className="font-medium text-text">{name}</span>
      <span className="truncate">
        {formatDuration(row.endAt - row.at)} · {plural(row.lines, "line")}
        {tools.length > 0 && ` · ${tools.slice(0, NAMED_MAX).join(", ")}`}
        {tools.length > NAMED_MAX && " …"}
      </span>
    </button>
  );
}

export function toggled(set: ReadonlySet<number>, item: number): ReadonlySet<number> {
  const next = new Set(set);
  if (!next.delete(item)) next.add(item);
  return next;
}
