import type { ReactNode } from "react";
import { Dialog } from "../ui/Dialog.js";
import { AccountMenu } from "./AccountMenu.js";
import { NAV } from "./nav.js";
import { NavItem } from "./NavItem.js";

/** All pages and the account, on phones. */
export function MoreDialog({ onClose }: { onClose: () => void }): ReactNode {
  return (
    <Dialog title="Fondation" open onClose={onClose}>
      <div className="flex flex-col gap-1">
        {NAV.map((entry) => (
          <NavItem key={entry.to} entry={entry} onChoose={onClose} />
        ))}
        <AccountMenu />
      </div>
    </Dialog>
  );
}
