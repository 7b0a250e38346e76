import { useId, type ReactNode } from "react";

type TooltipProps = {
  text: string;
  /** Renders what the hint is about, described by the element of that id. */
  children: (describedBy: string) => ReactNode;
};

/** Shows a text below its child while that is hovered or focused; screen readers get it as description. */
export function Tooltip({ text, children }: TooltipProps): ReactNode {
  const id = useId();
  return (
    <span className="group/hint relative inline-flex">
      {children(id)}
      <span
        role="tooltip"
        id={id}
        className="absolute top-full right-0 z-60 mt-1.5 hidden w-max max-w-64 rounded-md border border-line bg-ground px-2.5 py-1.5 text-left text-[13px] font-normal whitespace-normal text-text shadow-pop group-focus-within/hint:block group-hover/hint:block"
      >
        {text}
      </span>
    </span>
  );
}
