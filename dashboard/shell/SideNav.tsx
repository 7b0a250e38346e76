import { Link } from "@tanstack/react-router";
import { Menu as MenuIcon, Search } from "lucide-react";
import { useState, type ReactNode } from "react";
import { cx } from "../lib/cx.js";
import { Dialog } from "../ui/Dialog.js";
import { AccountMenu } from "./AccountMenu.js";
import { NAV, type NavEntry } from "./nav.js";
import { openPalette } from "./paletteState.js";

const ITEM =
  "flex min-h-8 items-center gap-2.5 rounded-md px-2.5 no-underline text-muted hover:bg-sunken hover:text-text";
const ACTIVE = "bg-sunken font-medium text-text!";

function Item({ entry, onChoose }: { entry: NavEntry; onChoose?: () => void }): ReactNode {
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

/** To the left, from tablets on. */
export function SideNav(): ReactNode {
  return (
    <div className="sticky top-0 hidden h-dvh w-52 shrink-0 flex-col border-r border-line bg-raised p-3 md:flex">
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
          <Item key={entry.to} entry={entry} />
        ))}
      </nav>
      <AccountMenu />
    </div>
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
      <Dialog title="Fondation" open={isOpen} onClose={close}>
        <div className="flex flex-col gap-1">
          {NAV.map((entry) => (
            <Item key={entry.to} entry={entry} onChoose={close} />
          ))}
          <AccountMenu />
        </div>
      </Dialog>
    </>
  );
}
