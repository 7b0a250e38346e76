import { Brain, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "../../../lib/cx.js";
import { formatDuration } from "../../../lib/format.js";
import { LazyMarkdown } from "../../../ui/LazyMarkdown.js";
import { plain, settle } from "../log/ansi.js";
import type { Block } from "./conversation.js";
import { ToolView } from "./ToolView.js";

/** Lines of notes that are shown; git tells more than anybody reads. */
const NOTES_MAX = 12;

/** One step of the conversation. */
export function BlockView({ block, isLive }: { block: Block; isLive: boolean }): ReactNode {
  switch (block.kind) {
    case "text":
      return <LazyMarkdown text={block.text} className="px-1" />;
    case "tool":
      return <ToolView tool={block.tool} isLive={isLive} />;
    case "thinking":
      return (
        <p className="m-0 flex items-center gap-1.5 px-1 text-[13px] text-muted">
          <Brain size={14} aria-hidden />
          thought for {formatDuration(block.ms)}
        </p>
      );
    case "retry":
      return (
        <p className="m-0 flex items-start gap-2 rounded-md bg-warn-soft px-3 py-1.5 text-[13px] text-warn">
          <RotateCw size={14} aria-hidden className="mt-0.5 shrink-0" />
          <span className="min-w-0 break-words">{block.text}</span>
        </p>
      );
    case "notes":
      return <Notes lines={block.lines} />;
  }
}

function Notes({ lines }: { lines: readonly { text: string; isError: boolean }[] }): ReactNode {
  const left = lines.length - NOTES_MAX;
  return (
    <div className="border-l-2 border-line pl-3 font-mono text-[12.5px] text-muted">
      {left > 0 && <p className="m-0">… {left} lines before, in the log</p>}
      {lines.slice(-NOTES_MAX).map(({ text, isError }, index) => (
        <p key={index} className={cx("m-0 break-words", !isError && "italic")}>
          {plain(settle(text))}
        </p>
      ))}
    </div>
  );
}
