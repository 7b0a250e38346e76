/**
 * What the model "says" in the demo. The words are scripted; what they cause is real: the CLI runs
 * each tool in the clone, so the log, the changes and the result come from the repository itself.
 */
import type { Conversation, Script, Step, ToolCall } from "./messagesScript.js";

const NOTE = "FONDATION_DEMO.md";
/** Files listed for the model, and files named in the note. */
const FILES_LISTED_MAX = 200;
const FILES_NAMED_MAX = 5;

/** A model takes its time; without this the log would be there all at once. */
const THINKING_MS = 250;

const bash = (command: string, description: string): ToolCall => ({
  name: "Bash",
  input: { command, description },
});

/** Looks around, reads a file, writes a note, edits it, shows the result: six answers, any repository. */
export function demoScript(): Script {
  const usual = {
    usage: { input_tokens: 4_000, cache_read_input_tokens: 12_000, output_tokens: 180 },
    delayMs: THINKING_MS,
  };
  const look = `git log --oneline | head -3; git ls-files ${NOTE}; git ls-files | head -${String(FILES_LISTED_MAX)}`;
  return {
    steps: [
      {
        ...usual,
        text: "I will look at the repository first.",
        tools: [bash(look, "Look around")],
      },
      (conversation) => ({ ...usual, ...readSomething(filesIn(conversation)) }),
      (conversation) => {
        const files = filesIn(conversation);
        const input = { file_path: `\${cwd}/${noteName(files)}`, content: note(files) };
        return {
          ...usual,
          text: "Now I write down what I found.",
          tools: [{ name: "Write", input }],
        };
      },
      (conversation) => {
        const input = {
          file_path: `\${cwd}/${noteName(filesIn(conversation))}`,
          old_string: "Status: draft",
          new_string: "Status: checked",
        };
        return { ...usual, tools: [{ name: "Edit", input }] };
      },
      (conversation) => {
        const name = noteName(filesIn(conversation));
        return {
          ...usual,
          tools: [bash(`git status --short && wc -l ${name}`, "Check the result")],
        };
      },
      (conversation) => ({
        ...usual,
        text: `Done: I read the repository, wrote ${noteName(filesIn(conversation))} and checked it. Nothing else was changed.`,
      }),
    ],
  };
}

function readSomething(files: string[]): Step {
  const file = fileToRead(files);
  if (file === undefined) return { tools: [bash("git status --short", "Show the state")] };
  const input = { file_path: `\${cwd}/${file}`, limit: 40 };
  return { text: `I will read ${file}.`, tools: [{ name: "Read", input }] };
}

// A repository may have kept the note of an earlier demo, and Write refuses a file it has not read.
const noteName = (files: string[]): string => (files.includes(NOTE) ? `NEW_${NOTE}` : NOTE);

// The first lines are commits ("abc1234 subject"); file names follow. A name that is none is harmless:
// the CLI then reports that it cannot read it, and the script goes on.
function filesIn({ toolResults }: Conversation): string[] {
  return (toolResults[0] ?? "").split("\n").filter((line) => /^[\w./-]+$/.test(line));
}

function fileToRead(files: string[]): string | undefined {
  return files.find((f) => /^readme(\.\w+)?$/i.test(f)) ?? files.find((f) => /\.\w+$/.test(f));
}

function note(files: string[]): string {
  const named = files.slice(0, FILES_NAMED_MAX).map((f) => `- ${f}`);
  return [
    "# Written by a Fondation demo job",
    "",
    "Status: draft",
    "",
    `Files seen: ${String(files.length)}`,
    "",
    ...named,
    "",
  ].join("\n");
}
