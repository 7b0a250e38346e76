import { Menu as Base } from "@base-ui/react/menu";
import type { ReactElement, ReactNode } from "react";

export type MenuEntry = {
  title: string;
  onChoose: () => void;
  icon?: ReactNode;
  /** Why it cannot be chosen now. */
  unable?: string | undefined;
};

/** A button that opens a list of actions. */
export function Menu({
  trigger,
  entries,
}: {
  trigger: ReactElement;
  entries: readonly MenuEntry[];
}): ReactNode {
  return (
    <Base.Root>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner
          // A part of the page by name, as all that is not within another one must be.
          role="region"
          aria-label="Menu"
          // Fixed: a menu whose button was scrolled away must not widen the page.
          positionMethod="fixed"
          sideOffset={4}
          align="end"
          className="z-50"
        >
          <Base.Popup className="min-w-44 rounded-lg border border-line bg-ground p-1 shadow-pop">
            {entries.map(({ title, onChoose, icon, unable }) => (
              <Base.Item
                key={title}
                disabled={unable !== undefined}
                onClick={onChoose}
                className="flex min-h-8 items-center gap-2 rounded-md px-2.5 data-disabled:opacity-60 data-highlighted:bg-sunken"
              >
                {icon}
                <span>
                  {title}
                  {unable !== undefined && (
                    <span className="block text-[12px] text-muted">{unable}</span>
                  )}
                </span>
              </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
