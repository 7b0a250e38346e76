/** The pages that the navigation, the palette and the `g …` keys know: one line for each. */
import type { LinkProps } from "@tanstack/react-router";
import {
  CalendarClock,
  ChartLine,
  LayoutDashboard,
  ListChecks,
  ScrollText,
  Server,
  Settings,
  type LucideIcon,
} from "lucide-react";

export type NavEntry = {
  to: NonNullable<LinkProps["to"]>;
  title: string;
  Icon: LucideIcon;
  /** Pressed after `g`. */
  key: string;
  /** Whether the bottom bar of a phone shows it; the others are under More. At most four. */
  onPhone?: true;
};

export const NAV: readonly NavEntry[] = [
  { to: "/", title: "Overview", Icon: LayoutDashboard, key: "o", onPhone: true },
  { to: "/jobs", title: "Jobs", Icon: ListChecks, key: "j", onPhone: true },
  { to: "/executors", title: "Executors", Icon: Server, key: "e", onPhone: true },
  { to: "/metrics", title: "Metrics", Icon: ChartLine, key: "m", onPhone: true },
  { to: "/schedules", title: "Schedules", Icon: CalendarClock, key: "s" },
  { to: "/audit", title: "Audit", Icon: ScrollText, key: "a" },
  { to: "/settings", title: "Settings", Icon: Settings, key: "," },
];
