// The frame of every page: the menu of narrow screens, light and dark, keys, and links that keep the namespace.

import { param } from "./address.js";
import { showDialog } from "./dialogs.js";
import { $, el } from "./dom.js";

const THEMES = ["system", "light", "dark"];
const KEYS = [
  ["/", "Go to the box"],
  ["Esc", "Leave the box, close what is open (a new key stays)"],
  ["↓ ↑", "From the box through the results"],
  ["Enter", "Search; open the result"],
  ["?", "This list"],
];

function switchTheme() {
  const now = document.documentElement.dataset.theme ?? "system";
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  if (next === "system") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem("console-theme");
  } else {
    document.documentElement.dataset.theme = next;
    localStorage.setItem("console-theme", next);
  }
  nameTheme();
}

function nameTheme() {
  $("[data-theme-name]").textContent = `Theme: ${document.documentElement.dataset.theme ?? "system"}`;
}

function setMenu(open) {
  $("#sidebar").toggleAttribute("data-open", open);
  $("[data-menu]").setAttribute("aria-expanded", String(open));
}

function showKeys() {
  showDialog("Shortcuts", (close) => [
    el(
      "dl",
      { class: "dialog-body" },
      KEYS.map(([key, text]) => el("div", { class: "row" }, el("dt", {}, el("kbd", { class: "kbd" }, key)), el("dd", {}, text))),
    ),
    el("div", { class: "row end" }, el("button", { class: "button", type: "button", onclick: close }, "Close")),
  ]);
}

function isTyping(element) {
  return element.matches("input, textarea, select, [contenteditable]");
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (isTyping(document.activeElement)) document.activeElement.blur();
    setMenu(false);
  } else if (isTyping(event.target)) {
    return;
  } else if (event.key === "/") {
    const box = $("[data-box]");
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select?.();
  } else if (event.key === "?") {
    showKeys();
  }
}

function keepNamespace() {
  const namespace = param("ns");
  for (const link of document.querySelectorAll("[data-keeps-namespace]"))
    link.search = namespace ? `?${new URLSearchParams({ ns: namespace })}` : "";
}

nameTheme();
keepNamespace();
document.addEventListener("keydown", onKey);
document.addEventListener("addresschange", keepNamespace);
$("[data-theme-switch]").addEventListener("click", switchTheme);
$("[data-shortcuts]").addEventListener("click", showKeys);
$("[data-menu]").addEventListener("click", () => setMenu(!$("#sidebar").hasAttribute("data-open")));
document.addEventListener("click", (event) => {
  if (!event.target.closest("#sidebar, [data-menu]")) setMenu(false);
});
