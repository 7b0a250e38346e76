/** What the model says in the tests of the job page. */
import type { Script, Step, ToolCall } from "../../cli/demo/messagesScript.js";

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

/** Works in four turns; a prompt with "wait at <gate>" has it think until the gate is released. */
export const worker: Script = {
  steps: working.map((step, index) => ({ prompt }) => {
    const gate = /wait at (\S+)/.exec(prompt)?.[1];
    return gate !== undefined && index === 1 ? { ...step, gate } : step;
  }),
};
