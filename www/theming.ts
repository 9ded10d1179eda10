/** Light or dark: chosen here, kept for the next time (`theme.ts` reads it before the first paint). */
export function turnTheme(): void {
  const root = document.documentElement;
  const dark =
    root.dataset["theme"] === "dark" ||
    (!root.dataset["theme"] && matchMedia("(prefers-color-scheme: dark)").matches);
  const next = dark ? "light" : "dark";
  root.dataset["theme"] = next;
  try {
    localStorage.setItem("understudy.theme", next);
  } catch {
    // Not kept, then.
  }
}
