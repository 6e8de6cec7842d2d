// Shows the chosen theme before the first paint. Loaded in <head> without defer, because the
// content security policy allows no inline script. Choices: system, light, dark.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      return localStorage.getItem("gantry-theme") || "system";
    } catch {
      return "system"; // storage is blocked
    }
  };

  const apply = (choice) => {
    const dark = choice === "dark" || (choice === "system" && system.matches);
    root.dataset.bsTheme = dark ? "dark" : "light";
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    }
    root.dispatchEvent(new CustomEvent("gantry:theme"));
  };

  apply(read());
  system.addEventListener("change", () => apply(read()));
  addEventListener("storage", () => apply(read()));
  document.addEventListener("DOMContentLoaded", () => apply(read()));
  document.addEventListener("click", (event) => {
    const choice = event.target.closest?.("[data-theme-choice]")?.dataset.themeChoice;
    if (!choice) return;
    try {
      localStorage.setItem("gantry-theme", choice);
    } catch {
      // the cookie below still carries the choice
    }
    document.cookie = `gantry_theme=${choice}; path=/; max-age=31536000; samesite=lax`;
    apply(choice);
  });
})();
