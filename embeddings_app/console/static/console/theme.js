"use strict";

// Runs before the first paint. Without a choice the system's preference holds, which tokens.css follows by itself.
(() => {
  const chosen = localStorage.getItem("console-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
