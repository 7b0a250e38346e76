/** The icon of the tab: tells what became of what the page shows, also while another tab is read. */
import { useEffect } from "react";

export type TabIcon = "icon" | "iconLive" | "iconGood" | "iconBad";

/** Shows the icon as long as the component is there. */
export function useTabIcon(icon: TabIcon): void {
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
    if (link === null) return undefined;
    link.href = `/${icon}.svg`;
    return () => {
      link.href = "/icon.svg";
    };
  }, [icon]);
}
