import { lazy, Suspense, type ReactNode } from "react";

const Markdown = lazy(async () => ({ default: (await import("./Markdown.js")).Markdown }));

/** Markdown whose reader is loaded when it is first needed; until then the text as it is. */
export function LazyMarkdown({ text, className }: { text: string; className?: string }): ReactNode {
  return (
    <Suspense fallback={<p className="m-0 break-words whitespace-pre-wrap">{text}</p>}>
      <Markdown text={text} {...(className === undefined ? {} : { className })} />
    </Suspense>
  );
}
