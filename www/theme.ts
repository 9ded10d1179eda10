/** Sets the theme before the first paint: `?theme=`, else what was chosen before, else the system's. */
(() => {
  const asked = new URLSearchParams(location.search).get("theme");
  let kept: string | null = null;
  try {
    kept = localStorage.getItem("understudy.theme");
  } catch {
    // Storage may be forbidden; the system's theme is fine then.
  }
  const theme = asked ?? kept;
  if (theme === "light" || theme === "dark") document.documentElement.dataset["theme"] = theme;
})();
