/** Scripts for the scripted Messages API that several tests share. */
import type { Fault, Script, ToolCall } from "../../cli/demo/messagesScript.js";

/** A Bash tool call. */
function bash(command: string): ToolCall {
  return { name: "Bash", input: { command, description: "Run" } };
}

/** One answer without tools. */
export function say(text: string): Script {
  return { steps: [{ text }] };
}

/** Reads README.md, adds a line to it, says so. For repositories made by gitRepo(). */
export function editsReadme(): Script {
  const file_path = "${cwd}/README.md";
  return {
    steps: [
      { text: "I will read it.", tools: [{ name: "Read", input: { file_path } }] },
      {
        tools: [
          { name: "Edit", input: { file_path, old_string: "hello", new_string: "hello, world" } },
        ],
      },
      { tools: [bash("git diff --stat")] },
      { text: "README.md says hello to the world." },
    ],
  };
}

/** The first answer meets the faults, then the run succeeds. */
export function afterFaults(...faults: Fault[]): Script {
  return { steps: [{ faults, text: "Done in spite of it." }] };
}

/** Every answer meets the fault. */
export function always(fault: Fault): Script {
  return {
    steps: [{ faults: [{ ...fault, times: Number.MAX_SAFE_INTEGER }], text: "never said" }],
  };
}

/** The model thinks until `release(gate)`; the CLI runs meanwhile. */
export function waitsAt(gate: string): Script {
  return { steps: [{ gate, text: "Let go." }] };
}

/** A tool that runs far longer than any test, then an answer. */
export function runsLong(): Script {
  return { steps: [{ tools: [bash("sleep 600")] }, { text: "Slept." }] };
}
