import type { ReactNode, TdHTMLAttributes, ThHTMLAttributes } from "react";
import { cx } from "../lib/cx.js";

/**
 * A table that scrolls sideways in its own box, which a keyboard can reach. `relative` keeps hidden
 * texts inside from widening the page.
 */
export function Table({ name, children }: { name: string; children: ReactNode }): ReactNode {
  return (
    <div
      // No landmark: the panel around it is one of the same name.
      role="group"
      aria-label={name}
      tabIndex={0}
      className="relative overflow-x-auto rounded-lg border border-line"
    >
      <table className="w-full border-collapse text-left">
        <caption className="sr-only">{name}</caption>
        {children}
      </table>
    </div>
  );
}

type Side = { end?: boolean };

/** A column's head; `end` aligns numbers. */
export function Th({
  end,
  className,
  ...rest
}: ThHTMLAttributes<HTMLTableCellElement> & Side): ReactNode {
  return (
    <th
      scope="col"
      {...rest}
      className={cx(
        "h-8 border-b border-line bg-raised px-3 text-[12px] font-medium whitespace-nowrap text-muted",
        end === true && "text-right",
        className,
      )}
    />
  );
}

/** The head of the column in which a row has its buttons: nothing to see. */
export function ActionsTh(
  props: Pick<ThHTMLAttributes<HTMLTableCellElement>, "className">,
): ReactNode {
  return (
    <Th {...props}>
      <span className="sr-only">Actions</span>
    </Th>
  );
}

export function Td({
  end,
  className,
  ...rest
}: TdHTMLAttributes<HTMLTableCellElement> & Side): ReactNode {
  return (
    <td
      {...rest}
      className={cx(
        "h-9 border-b border-line px-3 py-1 align-middle in-[tr:last-child]:border-b-0",
        end === true && "text-right tabular-nums",
        className,
      )}
    />
  );
}
