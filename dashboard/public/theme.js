// Before the first paint: the theme that was chosen, else that of the system. lib/theme.ts takes over.
(() => {
  const read = () => {
    try {
      return localStorage.getItem("fondation.theme");
    } catch {
      return null; // Storage may be switched off: the system's theme then.
    }
  };
  const chosen = read();
  const isDark =
    chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
})();
