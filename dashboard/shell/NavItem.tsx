import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { NavEntry } from "./nav.js";

const ITEM =
  "flex min-h-8 items-center gap-2.5 rounded-md px-2.5 no-underline text-muted hover:bg-sunken hover:text-text";
const ACTIVE = "bg-sunken font-medium text-text!";

/** One page of the navigation. */
export function NavItem({
  entry,
  onChoose,
}: {
  entry: NavEntry;
  onChoose?: (() => void) | undefined;
}): ReactNode {
  const { to, title, Icon } = entry;
  return (
    <Link
      to={to}
      activeOptions={{ exact: to === "/" }}
      activeProps={{ className: ACTIVE, "aria-current": "page" }}
      className={ITEM}
      onClick={onChoose}
    >
      <Icon size={16} aria-hidden />
      {title}
    </Link>
  );
}
