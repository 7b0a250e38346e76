import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDownToLine } from "lucide-react";
import { useEffect, useRef, type ReactNode } from "react";
import { cx } from "../../../lib/cx.js";
import { plural } from "../../../lib/format.js";
import { Button } from "../../../ui/Button.js";
import { useFollow, type Follow } from "./follow.js";
import { LogRow } from "./LogRow.js";
import { isOutput, type Folds, type LogModel } from "./model.js";
import type { Preferences } from "./preferences.js";
import { TurnRow } from "./TurnRow.js";

/** Height of a row, pixels: links in it are targets of 24. */
const ROW_PX = 24;
const OVERSCAN_ROWS = 2;

type RowsProps = {
  model: LogModel;
  /** Says that the model, which is always the same one, has grown. */
  version: number;
  folds: Folds;
  onFolds: (folds: Folds) => void;
  /** A line is pointed at: the address is to name it. */
  onPoint: (line: number) => void;
  query: string;
  /** Line to bring into sight, and to mark. */
  target: number | null;
  preferences: Preferences;
  hasNumbers: boolean;
};

/** The rows that are in sight, of however many there are. */
export function LogRows(props: RowsProps): ReactNode {
  const { model, folds, target, preferences } = props;
  const box = useRef<HTMLDivElement>(null);
  const rows = model.rows(folds);
  // The library keeps its functions changing; this component is not memoized by a compiler.
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN_ROWS,
  });
  const height = virtual.getTotalSize();
  const lines = model.lines.length;
  const follow = useFollow({ box, lines, height, startsAtEnd: target === null });
  const goTo = (line: number): void => {
    const index = rowOf(rows, line);
    if (index < 0) return;
    follow.pause();
    virtual.scrollToIndex(index, { align: "center" });
  };
  useTarget({ ...props, goTo });
  const width = `calc(${model.longestLine}ch + ${preferences.hasTimes ? 16 : 9}rem)`;
  return (
    <div className="relative">
      <div
        ref={box}
        role="region"
        aria-label="Lines of the log"
        tabIndex={0}
        className="relative h-[70dvh] min-h-72 overflow-auto overscroll-contain font-mono text-[12.5px] leading-6"
      >
        <div
          className="relative min-w-full"
          style={preferences.wraps ? { height } : { height, width }}
        >
          {virtual.getVirtualItems().map(({ index, start, key }) => (
            <div
              key={key}
              data-index={index}
              ref={preferences.wraps ? virtual.measureElement : undefined}
              {...rowLook(rows[index] ?? 0, target)}
              style={{ transform: `translateY(${start}px)` }}
            >
              <Row {...props} code={rows[index] ?? 0} />
            </div>
          ))}
        </div>
      </div>
      {!follow.isFollowing && <Pill follow={follow} />}
    </div>
  );
}

/** What the element of a row is; a line has no other one around it, for there are many. */
function rowLook(code: number, target: number | null) {
  if (code < 0) return { className: "absolute inset-x-0 top-0" };
  const isMarked = code === target;
  return {
    className: cx("absolute inset-x-0 top-0 flex min-h-6", isMarked && "bg-accent-soft"),
    "data-line": code + 1,
    "aria-current": isMarked ? ("location" as const) : undefined,
  };
}

function Row({ code, hasNumbers, ...props }: RowsProps & { code: number }): ReactNode {
  const { model, folds, onFolds } = props;
  if (code < 0) return <TurnRow model={model} turn={-1 - code} folds={folds} onFolds={onFolds} />;
  return <LogRow {...props} line={code} hasNumber={hasNumbers} />;
}

/** What the reader has missed while standing still; leads to the end. */
function Pill({ follow: { unseen, resume } }: { follow: Follow }): ReactNode {
  return (
    <Button
      kind="primary"
      size="small"
      className="absolute right-5 bottom-4 rounded-full shadow-pop"
      icon={<ArrowDownToLine size={14} aria-hidden />}
      onClick={resume}
    >
      {unseen > 0 ? plural(unseen, "new line") : "To the end"}
    </Button>
  );
}

/** Where a line is among the rows; -1 when it is folded away. Lines are in order, heads between them. */
function rowOf(rows: readonly number[], line: number): number {
  let low = 0;
  let high = rows.length - 1;
  while (low <= high) {
    let middle = (low + high) >> 1;
    while (middle > low && (rows[middle] ?? 0) < 0) middle -= 1;
    const code = rows[middle] ?? 0;
    if (code === line) return middle;
    if (code < line) low = Math.max(low, (low + high) >> 1) + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Brings the target into sight once for each new one; what hides it is unfolded first. */
function useTarget({
  model,
  folds,
  onFolds,
  target,
  goTo,
}: RowsProps & { goTo: (line: number) => void }): void {
  const last = useRef<number | null>(null);
  useEffect(() => {
    if (target === null || last.current === target) return;
    const line = model.lines[target];
    if (line === undefined) return;
    const isHidden = folds.turns.has(line.turn) || (isOutput(line) && folds.tools.has(line.tool));
    if (isHidden) {
      onFolds({ turns: without(folds.turns, line.turn), tools: without(folds.tools, line.tool) });
      return;
    }
    last.current = target;
    goTo(target);
  });
}

function without(set: ReadonlySet<number>, item: number): ReadonlySet<number> {
  return new Set([...set].filter((each) => each !== item));
}
