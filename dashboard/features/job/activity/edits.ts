/** What a tool that edits files is about to change, as lines that go and lines that come. Pure. */
import { inClone, type ToolInput } from "./conversation.js";

export type Edit = { path: string; removed: readonly string[]; added: readonly string[] };

/** The edits of a call, by the inputs of Edit, MultiEdit, Write and NotebookEdit; none of other tools. */
export function editsOf(name: string, input: ToolInput | null): Edit[] {
  if (input === null) return [];
  const path = inClone(textOf(input["file_path"]) ?? textOf(input["notebook_path"]) ?? "");
  switch (name) {
    case "Edit":
      return [editOf(path, input)];
    case "MultiEdit":
      return (Array.isArray(input["edits"]) ? input["edits"] : []).flatMap((edit: unknown) =>
        // Read field by field, each of which is checked.
        typeof edit === "object" && edit !== null ? [editOf(path, edit as ToolInput)] : [],
      );
    case "Write":
      return [{ path, removed: [], added: linesOf(textOf(input["content"])) }];
    case "NotebookEdit":
      return [{ path, removed: [], added: linesOf(textOf(input["new_source"])) }];
    default:
      return [];
  }
}

function editOf(path: string, input: ToolInput): Edit {
  const [before, after] = [
    linesOf(textOf(input["old_string"])),
    linesOf(textOf(input["new_string"])),
  ];
  const start = shared(before, after);
  const end = shared(before.slice(start).reverse(), after.slice(start).reverse());
  return {
    path,
    removed: before.slice(start, before.length - end),
    added: after.slice(start, after.length - end),
  };
}

/** How many lines are the same from the beginning. */
function shared(a: readonly string[], b: readonly string[]): number {
  const differs = a.findIndex((line, index) => line !== b[index]);
  return differs < 0 ? Math.min(a.length, b.length) : differs;
}

function linesOf(text: string | undefined): string[] {
  return text === undefined || text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
