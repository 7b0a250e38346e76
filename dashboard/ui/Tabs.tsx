import { Tabs as Base } from "@base-ui/react/tabs";
import type { ReactNode } from "react";

export type TabItem<T extends string> = { id: T; title: string; count?: number | undefined };

type TabsProps<T extends string> = {
  name: string;
  tabs: readonly TabItem<T>[];
  active: T;
  onChange: (tab: T) => void;
  /** The panel of the active tab. */
  children: ReactNode;
};

/** Tabs whose active one is in the address: the caller keeps it. */
export function Tabs<T extends string>(props: TabsProps<T>): ReactNode {
  const { name, tabs, active, onChange, children } = props;
  const choose = (value: unknown): void => {
    const tab = tabs.find(({ id }) => id === value);
    if (tab !== undefined) onChange(tab.id);
  };
  return (
    <Base.Root value={active} onValueChange={choose}>
      <Base.List
        aria-label={name}
        className="relative flex gap-1 overflow-x-auto overflow-y-hidden border-b border-line"
      >
        {tabs.map(({ id, title, count }) => (
          <Base.Tab
            key={id}
            value={id}
            className="-mb-px flex min-h-9 items-center gap-1.5 border-b-2 border-transparent px-3 whitespace-nowrap text-muted hover:text-text data-active:border-accent data-active:font-medium data-active:text-text"
          >
            {title}
            {count !== undefined && (
              <span className="rounded bg-sunken px-1.5 text-[12px] tabular-nums">{count}</span>
            )}
          </Base.Tab>
        ))}
      </Base.List>
      <Base.Panel value={active} className="pt-4">
        {children}
      </Base.Panel>
    </Base.Root>
  );
}
