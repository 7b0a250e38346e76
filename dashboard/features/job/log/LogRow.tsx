import { ChevronRight } from "lucide-react";
import { type CSSProperties, type ReactNode } from "react";
import type { LogKind } from "../../../../convex/protocol/log.js";
import { cx } from "../../../lib/cx.js";
import { formatClock } from "../../../lib/format.js";
import type { Piece } from "./ansi.js";
import { markedPieces, piecesOfLine } from "./pieces.js";
import type { Folds, LogModel } from "./model.js";
import type { Preferences } from "./preferences.js";
import { toggled } from "./TurnRow.js";

const KIND_LOOKS: Record<LogKind, string> = {
  marker: "text-muted italic",
  text: "",
  tool: "font-semibold text-accent",
  toolResult: "",
  retry: "text-warn",
  stderr: "text-muted",
};

type RowProps = {
  model: LogModel;
  line: number;
  folds: Folds;
  onFolds: (folds: Folds) => void;
  onPoint: (line: number) => void;
  query: string;
  preferences: Preferences;
  hasNumber: boolean;
};

/** What is in the row of one line: its number, which is a link to it, when it came, what it says. */
export function LogRow(props: RowProps): ReactNode {
  const { model, line, query, preferences, hasNumber } = props;
  const row = model.lines[line];
  const entry = row === undefined ? undefined : model.entries[row.seq];
  if (row === undefined || entry === undefined) return null;
  const pieces = markedPieces(piecesOfLine(entry, row.part), row.text, query);
  const isError = row.kind === "toolResult" && entry.text.startsWith("error: ");
  return (
    <>
      {hasNumber && <LineNumber line={line} onPoint={props.onPoint} />}
      {preferences.hasTimes && (
        <time
          dateTime={new Date(entry.at).toISOString()}
          title={new Date(entry.at).toISOString()}
          className="w-[5.2rem] shrink-0 pr-3 text-muted tabular-nums select-none"
        >
          {row.part === 0 ? formatClock(entry.at) : ""}
        </time>
      )}
      <span
        className={cx(
          "relative min-w-0 pr-4 pl-px",
          row.kind === "tool" ? "ml-6" : "ml-1",
          preferences.wraps ? "break-all whitespace-pre-wrap" : "whitespace-pre",
          KIND_LOOKS[row.kind],
          isError && "text-bad",
        )}
      >
        <FoldTool {...props} />
        {pieces.map((piece, index) => (
          <PieceText key={index} piece={piece} />
        ))}
      </span>
    </>
  );
}

/** Reached by pointer alone: by keyboard one comes to a line through the search. */
function LineNumber({
  line,
  onPoint,
}: {
  line: number;
  onPoint: (line: number) => void;
}): ReactNode {
  return (
    <a
      href={`#L${line + 1}`}
      tabIndex={-1}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        onPoint(line);
      }}
      className="inline-block h-6 w-14 shrink-0 pr-3 text-right text-muted tabular-nums no-underline select-none hover:text-text hover:underline"
    >
      {line + 1}
    </a>
  );
}

/** Beside the call of a tool that has answered: folds the answer away. */
function FoldTool({ model, line, folds, onFolds }: RowProps): ReactNode {
  const row = model.lines[line];
  const tool = row === undefined ? undefined : model.tools[row.tool];
  if (row === undefined || tool?.line !== line || tool.outputLines === 0) return null;
  const isFolded = folds.tools.has(row.tool);
  return (
    <button
      type="button"
      aria-expanded={!isFolded}
      aria-label={isFolded ? `Show ${tool.outputLines} lines of output` : "Fold the output"}
      onClick={() => {
        onFolds({ ...folds, tools: toggled(folds.tools, row.tool) });
      }}
      className="absolute -left-6 flex size-6 items-center justify-center text-muted hover:text-text"
    >
      <ChevronRight size={14} aria-hidden className={isFolded ? "" : "rotate-90"} />
    </button>
  );
}

function PieceText({ piece }: { piece: Piece & { isHit?: true } }): ReactNode {
  const { text, isHit } = piece;
  if (isHit === true) {
    return <mark className="rounded-xs bg-warn-soft text-warn outline-1 outline-warn">{text}</mark>;
  }
  const style = styleOf(piece);
  return style === undefined ? text : <span style={style}>{text}</span>;
}

function styleOf(piece: Piece): CSSProperties | undefined {
  const { color, background, isBold, isDim, isItalic, isUnderlined, isStruck } = piece;
  const line = [isUnderlined && "underline", isStruck && "line-through"].filter(Boolean).join(" ");
  const style: CSSProperties = {
    ...(color === undefined ? {} : { color }),
    ...(background === undefined ? {} : { background }),
    ...(isDim === true ? { color: "var(--muted)" } : {}),
    ...(isBold === true ? { fontWeight: 700 } : {}),
    ...(isItalic === true ? { fontStyle: "italic" } : {}),
    ...(line === "" ? {} : { textDecorationLine: line }),
  };
  return Object.keys(style).length === 0 ? undefined : style;
}
