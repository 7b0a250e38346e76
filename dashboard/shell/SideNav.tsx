import { Link } from "@tanstack/react-router";
import { Menu as MenuIcon, Search } from "lucide-react";
import { lazy, Suspense, useState, type ReactNode } from "react";
import { cx } from "../lib/cx.js";
import { NAV } from "./nav.js";
import { NavItem } from "./NavItem.js";
import { openPalette } from "./paletteState.js";

// Loaded after the page: menus and dialogs weigh more than all the rest of the frame.
const AccountMenu = lazy(async () => ({
  default: (await import("./AccountMenu.js")).AccountMenu,
}));
const MoreDialog = lazy(async () => ({ default: (await import("./MoreDialog.js")).MoreDialog }));

/** To the left, from tablets on. */
export function SideNav(): ReactNode {
  return (
    <header className="sticky top-0 hidden h-dvh w-52 shrink-0 flex-col border-r border-line bg-raised p-3 md:flex">
      <Brand />
      <button
        type="button"
        onClick={openPalette}
        className="mt-4 mb-3 flex min-h-8 items-center gap-2 rounded-md border border-line bg-ground px-2.5 text-left text-muted hover:border-line-strong"
      >
        <Search size={14} aria-hidden />
        <span className="flex-1">Go to…</span>
        <kbd className="font-mono text-[12px]">Ctrl K</kbd>
      </button>
      <nav aria-label="Main" className="flex min-h-0 flex-1 flex-col gap-0.5 overflow-y-auto">
        {NAV.map((entry) => (
          <NavItem key={entry.to} entry={entry} />
        ))}
      </nav>
      <Suspense fallback={<div className="mt-2 min-h-10" />}>
        <AccountMenu />
      </Suspense>
    </header>
  );
}

function Brand(): ReactNode {
  return (
    <Link
      to="/"
      className="flex items-center gap-2 rounded-md px-1 text-[15px] font-semibold tracking-tight text-text no-underline"
    >
      <img src="/icon.svg" alt="" width={22} height={22} />
      Fondation
    </Link>
  );
}

const BAR_ITEM =
  "flex min-h-13 flex-1 flex-col items-center justify-center gap-0.5 text-[11px] no-underline";

/** At the bottom, on phones: what is used most, and the rest under More. */
export function PhoneBar(): ReactNode {
  const [isOpen, setOpen] = useState(false);
  const close = (): void => {
    setOpen(false);
  };
  return (
    <>
      <nav
        aria-label="Main"
        className="fixed inset-x-0 bottom-0 z-30 flex border-t border-line bg-raised pb-[env(safe-area-inset-bottom)] md:hidden"
      >
        {NAV.filter(({ onPhone }) => onPhone).map(({ to, title, Icon }) => (
          <Link
            key={to}
            to={to}
            activeOptions={{ exact: to === "/" }}
            activeProps={{ className: "text-accent! font-medium", "aria-current": "page" }}
            className={cx(BAR_ITEM, "text-muted")}
          >
            <Icon size={19} aria-hidden />
            {title}
          </Link>
        ))}
        <button
          type="button"
          className={cx(BAR_ITEM, "text-muted")}
          onClick={() => {
            setOpen(true);
          }}
        >
          <MenuIcon size={19} aria-hidden />
          More
        </button>
      </nav>
      <Suspense>{isOpen && <MoreDialog onClose={close} />}</Suspense>
    </>
  );
}
