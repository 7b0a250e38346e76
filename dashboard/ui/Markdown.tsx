import type { ReactNode } from "react";
import Base, { type Components, type Options } from "react-markdown";
import rehypeSanitize from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import { cx } from "../lib/cx.js";
import "./Markdown.css";

/** Level of the first heading: below those of the page and its panels. */
const FIRST_LEVEL = 3;
const LAST_LEVEL = 6;

type Tree = { type: string; tagName?: string; children?: Tree[] };

/** Shows HTML as the text it is: the sanitizer would drop it, and whatever stands beside it. */
function htmlAsText() {
  return (tree: Tree): void => {
    const visit = (node: Tree): void => {
      if (node.type === "raw") node.type = "text";
      for (const child of node.children ?? []) visit(child);
    };
    visit(tree);
  };
}

/** Gives headings levels without gaps, whatever the text does: people go by them. */
function evenHeadings() {
  return (tree: Tree): void => {
    const open: number[] = [];
    const visit = (node: Tree): void => {
      const level = /^h([1-6])$/.exec(node.tagName ?? "")?.[1];
      if (level !== undefined) {
        while ((open.at(-1) ?? 0) >= Number(level)) open.pop();
        open.push(Number(level));
        node.tagName = `h${Math.min(LAST_LEVEL, FIRST_LEVEL + open.length - 1)}`;
      }
      for (const child of node.children ?? []) visit(child);
    };
    visit(tree);
  };
}

/** Only addresses that say where they lead: neither scripts nor parts of this page. */
function isOutward(href: string | undefined): href is string {
  return href !== undefined && /^(https?:|mailto:)/i.test(href);
}

const components: Components = {
  a: ({ href, children }) =>
    isOutward(href) ? (
      <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={href}>
        {children}
      </a>
    ) : (
      <span>{children}</span>
    ),
  // An image would be loaded from wherever the text says.
  img: ({ alt, src }) => (
    <span className="rounded bg-sunken px-1.5 text-muted">
      image not shown{alt === undefined || alt === "" ? "" : `: ${alt}`}
      {isOutward(src) && ` (${src})`}
    </span>
  ),
  input: ({ checked }) => (
    <input
      type="checkbox"
      disabled
      checked={checked === true}
      aria-label={checked === true ? "Done" : "To do"}
    />
  ),
  table: ({ children }) => (
    <div role="group" aria-label="Table" tabIndex={0} className="relative overflow-x-auto">
      <table>{children}</table>
    </div>
  ),
  pre: ({ children }) => (
    <pre tabIndex={0} role="group" aria-label="Code">
      {children}
    </pre>
  ),
};

const remark: Options["remarkPlugins"] = [remarkGfm];
const rehype: Options["rehypePlugins"] = [htmlAsText, rehypeSanitize, evenHeadings];

/** Text of a model as GitHub's Markdown. HTML in it is text; nothing in it runs or is fetched. */
export function Markdown({ text, className }: { text: string; className?: string }): ReactNode {
  return (
    <div className={cx("prose", className)}>
      <Base remarkPlugins={remark} rehypePlugins={rehype} components={components}>
        {text}
      </Base>
    </div>
  );
}
