import { ChevronsUpDown, LogOut, Monitor, Moon, Sun } from "lucide-react";
import type { ReactNode } from "react";
import { useTheme, type Theme } from "../lib/theme.js";
import { useMe, useSignOut } from "../session/me.js";
import { Menu } from "../ui/Menu.js";

const THEME_LOOK: Record<Theme, { title: string; icon: ReactNode }> = {
  system: { title: "Theme of the system", icon: <Monitor size={15} aria-hidden /> },
  light: { title: "Light theme", icon: <Sun size={15} aria-hidden /> },
  dark: { title: "Dark theme", icon: <Moon size={15} aria-hidden /> },
};

/** Who is signed in; the theme; the way out. */
export function AccountMenu(): ReactNode {
  const { username, role } = useMe();
  const [theme, setTheme] = useTheme();
  const signOut = useSignOut();
  const themes = (["system", "light", "dark"] as const).map((one) => ({
    ...THEME_LOOK[one],
    title: `${THEME_LOOK[one].title}${one === theme ? " ✓" : ""}`,
    onChoose: () => {
      setTheme(one);
    },
  }));
  return (
    <Menu
      trigger={
        <button
          type="button"
          className="mt-2 flex min-h-10 items-center gap-2 rounded-md px-2 text-left hover:bg-sunken"
        >
          <span className="min-w-0 flex-1 leading-tight">
            <span className="block truncate font-medium">{username}</span>
            <span className="block text-[12px] text-muted">{role}</span>
          </span>
          <ChevronsUpDown size={15} aria-hidden className="text-muted" />
        </button>
      }
      entries={[
        ...themes,
        {
          title: "Sign out",
          icon: <LogOut size={15} aria-hidden />,
          onChoose: () => void signOut(),
        },
      ]}
    />
  );
}
