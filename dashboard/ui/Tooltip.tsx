import { Tooltip as Base } from "@base-ui/react/tooltip";
import { useId, type ReactElement, type ReactNode } from "react";

/** Shows a text beside its child while that is hovered or focused; screen readers get it as description. */
export function Tooltip({ text, children }: { text: string; children: ReactElement }): ReactNode {
  const id = useId();
  return (
    <Base.Root>
      <Base.Trigger render={children} aria-describedby={id} />
      <span id={id} hidden>
        {text}
      </span>
      <Base.Portal>
        <Base.Positioner sideOffset={6} className="z-60">
          <Base.Popup className="max-w-72 rounded-md border border-line bg-ground px-2.5 py-1.5 text-[13px] text-text shadow-pop">
            {text}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
