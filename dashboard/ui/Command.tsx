import type { ReactNode } from "react";
import { CopyButton } from "./CopyButton.js";

/** Text to be pasted elsewhere, a command or a key, with a button that copies it. */
export function Command({ name, text }: { name: string; text: string }): ReactNode {
  return (
    <div className="flex items-start gap-1 rounded-md border border-line bg-raised py-1.5 pr-1.5 pl-3">
      <pre
        tabIndex={0}
        aria-label={name}
        className="m-0 min-w-0 flex-1 py-1 font-mono text-[13px] break-all whitespace-pre-wrap"
      >
        {text}
      </pre>
      <CopyButton name={`Copy ${name}`} text={text} />
    </div>
  );
}
