/** What the model says in each run of the bench, by the first word of its prompt. */
import type { Conversation, Script, Step } from "../../../cli/demo/messagesScript.js";

export const TURNS = 8;
export const LINES = 40;
/** An edit of it is told with the whole file in the CLI's stream. */
export const LARGE_FILE = {
  "large.txt": `first line\n${"0123456789abcdef0123456789abcdef\n".repeat(10_000)}`,
};

const bash = (command: string): Step => ({ tools: [{ name: "Bash", input: { command } }] });
const done: Step = { text: "Done." };
const edit = (from: string, to: string): Step => ({
  tools: [
    { name: "Edit", input: { file_path: "${cwd}/large.txt", old_string: from, new_string: to } },
  ],
});

const turn = (n: number): Step =>
  bash(`sleep 0.4; seq ${String(n * 100)} ${String(n * 100 + 99)} > part${String(n)}`);
const turns = Array.from({ length: TURNS }, (_, n) => turn(n));
const large: Step[] = [
  { tools: [{ name: "Read", input: { file_path: "${cwd}/large.txt", limit: 5 } }] },
  edit("first line", "edited line"),
];

const SCRIPTS: Readonly<Record<string, Script>> = {
  Once: { steps: [done] },
  Turns: { steps: [...turns, done] },
  Killed: { steps: [...turns, { ...done, gate: "last" }] },
  Talk: {
    steps: [
      ...Array.from({ length: LINES }, (_, n) => bash(`echo line ${String(n)}; sleep 0.2`)),
      done,
    ],
  },
  Large: { steps: [...large, done] },
  Held: { steps: [{ ...done, gate: "held" }] },
};

export function scriptOf({ prompt }: Conversation): Script {
  const name = Object.keys(SCRIPTS).find((each) => prompt.includes(each)) ?? "Once";
  return SCRIPTS[name] ?? { steps: [done] };
}
