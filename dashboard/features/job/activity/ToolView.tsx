import {
  ChevronRight,
  FilePen,
  FileText,
  Globe,
  ListTodo,
  Search,
  SquareTerminal,
  Wrench,
  type LucideIcon,
} from "lucide-react";
import { useState, type ReactNode } from "react";
import { cx } from "../../../lib/cx.js";
import { formatDuration, plural } from "../../../lib/format.js";
import { Badge } from "../../../ui/Badge.js";
import { Button } from "../../../ui/Button.js";
import { plain, settle } from "../log/ansi.js";
import type { ToolCall, ToolInput } from "./conversation.js";
import { editsOf, type Edit } from "./edits.js";

const ICONS: Record<string, LucideIcon> = {
  Bash: SquareTerminal,
  Edit: FilePen,
  MultiEdit: FilePen,
  Write: FilePen,
  NotebookEdit: FilePen,
  Read: FileText,
  Glob: Search,
  Grep: Search,
  WebFetch: Globe,
  WebSearch: Globe,
  TodoWrite: ListTodo,
};
/** Lines of an output or an edit that are shown before one asks for all. */
const LINES_MAX = 40;

/** A call of a tool: what it does, on demand with its input, and what came back; open where it failed. */
export function ToolView({ tool, isLive }: { tool: ToolCall; isLive: boolean }): ReactNode {
  const { name, summary, input, output } = tool;
  const edits = editsOf(name, input);
  const isError = output?.isError === true;
  const [isOpen, setOpen] = useState<boolean | null>(null);
  // Until somebody chose: edits are the work, and errors are what one looks for.
  const shown = isOpen ?? (isError || edits.length > 0);
  const Icon = ICONS[name] ?? Wrench;
  return (
    <div className={cx("rounded-lg border", isError ? "border-bad" : "border-line")}>
      <button
        type="button"
        aria-expanded={shown}
        onClick={() => {
          setOpen(!shown);
        }}
        className="flex min-h-9 w-full items-center gap-2 px-3 py-1.5 text-left"
      >
        <ChevronRight
          size={15}
          aria-hidden
          className={cx("shrink-0 text-muted transition-transform", shown && "rotate-90")}
        />
        <Icon size={15} aria-hidden className={isError ? "text-bad" : "text-accent"} />
        <span className="shrink-0 font-medium">{name}</span>
        <span className="min-w-0 flex-1 truncate font-mono text-[12.5px] text-muted">
          {summary}
        </span>
        <ToolState tool={tool} isLive={isLive} />
      </button>
      {shown && (
        <div className="flex flex-col gap-2 border-t border-line p-3">
          {edits.length > 0 ? (
            edits.map((edit, index) => <EditView key={index} edit={edit} />)
          ) : (
            <Input input={input} summary={summary} />
          )}
          {output !== undefined && (edits.length === 0 || isError) && (
            <Lines name="Output" text={plain(settle(output.text))} isError={isError} />
          )}
        </div>
      )}
    </div>
  );
}

function ToolState({
  tool: { at, output },
  isLive,
}: {
  tool: ToolCall;
  isLive: boolean;
}): ReactNode {
  if (output === undefined) {
    return <Badge tone={isLive ? "live" : "warn"}>{isLive ? "running" : "no answer"}</Badge>;
  }
  return (
    <span className="flex shrink-0 items-center gap-2 text-[12px] whitespace-nowrap text-muted tabular-nums">
      {output.isError && <Badge tone="bad">error</Badge>}
      {formatDuration(output.at - at)}
    </span>
  );
}

/** What the tool was given: a command as it is typed, else each field. */
function Input({ input, summary }: { input: ToolInput | null; summary: string }): ReactNode {
  const command = input?.["command"];
  const text =
    typeof command === "string"
      ? command
      : input === null
        ? summary
        : Object.entries(input)
            .map(
              ([name, value]) =>
                `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
            )
            .join("\n");
  return text === "" ? null : <Lines name="Input" text={text} isError={false} />;
}

function Lines({
  name,
  text,
  isError,
}: {
  name: string;
  text: string;
  isError: boolean;
}): ReactNode {
  const [isWhole, setWhole] = useState(false);
  const lines = text.split("\n");
  const hidden = isWhole ? 0 : Math.max(0, lines.length - LINES_MAX);
  return (
    <div>
      <p className="m-0 mb-0.5 text-[12px] text-muted">{name}</p>
      <pre
        tabIndex={0}
        role="group"
        aria-label={name}
        className={cx(
          "m-0 max-h-96 overflow-auto rounded-md bg-raised px-3 py-2 font-mono text-[12.5px] leading-5 break-words whitespace-pre-wrap",
          isError && "text-bad",
        )}
      >
        {text === "" ? "(nothing)" : lines.slice(0, lines.length - hidden).join("\n")}
      </pre>
      <Rest
        hidden={hidden}
        onShow={() => {
          setWhole(true);
        }}
      />
    </div>
  );
}

/** An edit as lines that go and lines that come; the whole diff is in Changes. */
function EditView({ edit: { path, removed, added } }: { edit: Edit }): ReactNode {
  const [isWhole, setWhole] = useState(false);
  const lines = [
    ...removed.map((text) => ({ sign: "−", text })),
    ...added.map((text) => ({ sign: "+", text })),
  ];
  const hidden = isWhole ? 0 : Math.max(0, lines.length - LINES_MAX);
  return (
    <div>
      <div
        role="group"
        aria-label={`Edit of ${path}`}
        tabIndex={0}
        className="relative overflow-x-auto rounded-md border border-line font-mono text-[12.5px] leading-5"
      >
        <div className="w-max min-w-full">
          {lines.slice(0, lines.length - hidden).map(({ sign, text }, index) => (
            <div
              key={index}
              className={cx("flex px-2", sign === "+" ? "bg-good-soft" : "bg-bad-soft")}
            >
              <span className={cx("w-4 shrink-0", sign === "+" ? "text-good" : "text-bad")}>
                {sign}
              </span>
              <span className="whitespace-pre">{text}</span>
            </div>
          ))}
        </div>
      </div>
      <Rest
        hidden={hidden}
        onShow={() => {
          setWhole(true);
        }}
      />
    </div>
  );
}

function Rest({ hidden, onShow }: { hidden: number; onShow: () => void }): ReactNode {
  if (hidden === 0) return null;
  return (
    <Button size="small" kind="quiet" className="mt-1" onClick={onShow}>
      Show {plural(hidden, "more line")}
    </Button>
  );
}
