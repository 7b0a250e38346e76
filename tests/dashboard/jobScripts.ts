/** What the model says in the tests of the job page. */
import type { Conversation, Script, Step, ToolCall } from "../../cli/demo/messagesScript.js";

const bash = (command: string): ToolCall => ({
  name: "Bash",
  input: { command, description: "Run" },
});

/** An answer in Markdown that tries what must not work. */
export const RESULT = `# All done

README.md says **hello** to the world, see [the docs](https://example.invalid/docs).

| file | what |
| --- | --- |
| README.md | a line |

- [x] greet
- [ ] wave

\`\`\`js
export const answer = 42;
\`\`\`

<script>window.pwned = 1</script>
<img src=x onerror="window.pwned = 1">

![spy](https://example.invalid/spy.png)
[run me](javascript:window.pwned=1)
[inside](/settings)

<b onclick="window.pwned = 1">bold</b>
`;

const file_path = "${cwd}/README.md";
const COLOURS =
  "printf '\\033[31mred\\033[0m \\033[38;5;208morange\\033[0m \\033[38;2;1;200;3mtrue\\033[0m <b>not bold</b>\\n10%%\\r50%%\\r100%% done\\n'";

const working: readonly Step[] = [
  { text: "I will **read** it first.", tools: [{ name: "Read", input: { file_path } }] },
  {
    tools: [
      { name: "Edit", input: { file_path, old_string: "hello", new_string: "hello, world" } },
    ],
  },
  { tools: [bash(COLOURS), bash("ls /nowhere")] },
  { text: RESULT },
];

/** Has the form of a token of GitHub, and is none. */
export const TOKEN = `ghp_${"0123456789".repeat(4)}`;

/** Says, prints and writes down what must not be told on. */
const telling: readonly Step[] = [
  { tools: [bash(`echo "said: ${TOKEN}"; echo "kept: ${TOKEN}" > token.txt`)] },
  { text: `I was told ${TOKEN}.` },
];

/**
 * Works in four turns; a prompt with "wait at <gate>" has it think until the gate is released, one with "Tell the
 * token" has it tell one.
 */
export const worker = ({ prompt }: Conversation): Script => {
  if (prompt.startsWith("Tell the token")) return { steps: [...telling] };
  const gate = /wait at (\S+)/.exec(prompt)?.[1];
  return {
    steps: working.map((step, index) =>
      gate !== undefined && index === 1 ? { ...step, gate } : step,
    ),
  };
};
