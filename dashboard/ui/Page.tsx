import { useEffect, type ReactNode } from "react";
import { cx } from "../lib/cx.js";

type HeadProps = {
  title: ReactNode;
  /** Of the tab; the title's text where that is one. */
  tabTitle?: string;
  children?: ReactNode;
  /** Buttons, to the right. */
  actions?: ReactNode;
};

/** The head of a page, and the title of its tab. */
export function PageHead({ title, tabTitle, children, actions }: HeadProps): ReactNode {
  const name = tabTitle ?? (typeof title === "string" ? title : "");
  useEffect(() => {
    document.title = name === "" ? "Fondation" : `${name} · Fondation`;
  }, [name]);
  return (
    <header className="mb-4 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
      <div className="min-w-0">
        <h1 className="m-0 text-[20px] leading-8 font-semibold tracking-tight">{title}</h1>
        {children !== undefined && <div className="text-muted">{children}</div>}
      </div>
      {actions !== undefined && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </header>
  );
}

/** A titled part of a page, in a frame. */
export function Panel({
  title,
  actions,
  children,
  className,
}: {
  title: string;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
}): ReactNode {
  return (
    <section aria-label={title} className={cx("rounded-lg border border-line", className)}>
      <div className="flex min-h-10 items-center justify-between gap-3 border-b border-line px-4">
        <h2 className="m-0 text-[14px] font-semibold">{title}</h2>
        {actions}
      </div>
      <div className="p-4">{children}</div>
    </section>
  );
}

/** A figure with its name: what a row of them at the head of a page is made of. */
export function Figure({
  name,
  value,
  note,
}: {
  name: string;
  value: ReactNode;
  note?: ReactNode;
}): ReactNode {
  return (
    <div className="flex min-w-0 flex-col rounded-lg border border-line px-4 py-3">
      <dt className="text-[13px] text-muted">{name}</dt>
      <dd className="m-0 text-[22px] leading-8 font-semibold tracking-tight tabular-nums">
        {value}
      </dd>
      {note !== undefined && <dd className="m-0 text-[13px] text-muted">{note}</dd>}
    </div>
  );
}

/** Names and values, one a row. */
export function Facts({ rows }: { rows: readonly (readonly [string, ReactNode])[] }): ReactNode {
  return (
    <dl className="m-0 grid grid-cols-[max-content_minmax(0,1fr)] gap-x-5 gap-y-1.5">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="m-0 min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
