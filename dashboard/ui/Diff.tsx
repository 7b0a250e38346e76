import { ChevronRight } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Diff as Table, Hunk, parseDiff, type FileData } from "react-diff-view";
import "react-diff-view/style/index.css";
import { cx } from "../lib/cx.js";
import { plural } from "../lib/format.js";
import { Badge } from "./Badge.js";
import { Button } from "./Button.js";
import "./Diff.css";

/** Lines of all files that are open at first: what is beyond is one click away. */
const OPEN_LINES_MAX = 1_500;
/** Lines of one file that are shown before one asks for the rest: rows are heavy. */
const FILE_LINES_MAX = 3_000;

export type DiffView = "unified" | "split";

/** A patch of git, file by file. */
export function Diff({ patch, view }: { patch: string; view: DiffView }): ReactNode {
  const files = parse(patch);
  if (files === null) {
    return (
      <pre
        tabIndex={0}
        role="region"
        aria-label="Patch"
        className="m-0 overflow-x-auto rounded-lg border border-line p-3 font-mono text-[12.5px]"
      >
        {patch}
      </pre>
    );
  }
  const opened = openedAtFirst(files);
  return (
    <div className="flex flex-col gap-3">
      {files.map((file, index) => (
        <File
          key={`${nameOf(file)}-${index}`}
          file={file}
          view={view}
          isOpenAtFirst={opened.has(index)}
        />
      ))}
    </div>
  );
}

/** The files of the patch; null when it cannot be read as one, for example because it was cut. */
function parse(patch: string): FileData[] | null {
  try {
    const files = parseDiff(patch);
    return files.some(({ hunks }) => hunks.length > 0) || files.length > 0 ? files : null;
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}

const linesOf = ({ hunks }: FileData): number =>
  hunks.reduce((sum, { changes }) => sum + changes.length, 0);

function openedAtFirst(files: readonly FileData[]): ReadonlySet<number> {
  const opened = new Set<number>();
  let lines = 0;
  for (const [index, file] of files.entries()) {
    lines += linesOf(file);
    if (lines > OPEN_LINES_MAX && index > 0) break;
    opened.add(index);
  }
  return opened;
}

function nameOf({ type, oldPath, newPath }: FileData): string {
  if (type === "delete") return oldPath;
  return type === "rename" ? `${oldPath} → ${newPath}` : newPath;
}

const WORDS = { add: "added", delete: "deleted", rename: "renamed", copy: "copied", modify: null };

type FileProps = { file: FileData; view: DiffView; isOpenAtFirst: boolean };

function File({ file, view, isOpenAtFirst }: FileProps): ReactNode {
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  const changes = file.hunks.flatMap((hunk) => hunk.changes);
  const inserted = changes.filter(({ type }) => type === "insert").length;
  const deleted = changes.filter(({ type }) => type === "delete").length;
  const name = nameOf(file);
  const word = WORDS[file.type];
  return (
    <section aria-label={name} className="overflow-hidden rounded-lg border border-line">
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => {
          setOpen(!isOpen);
        }}
        className="flex min-h-9 w-full items-center gap-2 bg-raised px-3 py-1.5 text-left"
      >
        <ChevronRight
          size={15}
          aria-hidden
          className={cx("shrink-0 text-muted transition-transform", isOpen && "rotate-90")}
        />
        <span className="min-w-0 flex-1 font-mono text-[13px] break-all">{name}</span>
        {word !== null && <Badge>{word}</Badge>}
        <span className="text-[13px] whitespace-nowrap tabular-nums">
          <span className="text-good">+{inserted}</span>{" "}
          <span className="text-bad">−{deleted}</span>
        </span>
      </button>
      {isOpen && <Body file={file} view={view} lines={changes.length} />}
    </section>
  );
}

function Body({ file, view, lines }: { file: FileData; view: DiffView; lines: number }): ReactNode {
  const [isWhole, setWhole] = useState(lines <= FILE_LINES_MAX);
  if (!isWhole) {
    return (
      <div className="border-t border-line p-3">
        <Button
          size="small"
          onClick={() => {
            setWhole(true);
          }}
        >
          Show {plural(lines, "line")}
        </Button>
      </div>
    );
  }
  if (file.hunks.length === 0) {
    return (
      <p className="m-0 border-t border-line px-3 py-2 text-muted">
        Nothing to show as text: a binary file, or only its name or mode changed.
      </p>
    );
  }
  return (
    <div
      role="region"
      aria-label={`Changes in ${nameOf(file)}`}
      tabIndex={0}
      className="relative overflow-x-auto border-t border-line"
    >
      <Table viewType={view} diffType={file.type} hunks={file.hunks}>
        {(hunks) => hunks.map((hunk) => <Hunk key={hunk.content} hunk={hunk} />)}
      </Table>
    </div>
  );
}
