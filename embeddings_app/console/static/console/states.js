// What stands in the place of a part that has nothing to show: it loads, it is empty, it failed, it is incomplete.

import { el, icon } from "./dom.js";

export function loading(rows = 3) {
  const bones = Array.from({ length: rows }, () => el("i"));
  return el("div", { class: "skeleton", role: "status", "aria-label": "Loading" }, bones);
}

export function empty({ name = "missing", title, text, actions = [] }) {
  return el(
    "div",
    { class: "state" },
    icon(name),
    el("h2", {}, title),
    text && el("p", {}, text),
    el("div", { class: "row" }, actions),
  );
}

// `retry` is called when the person wants it tried again.
export function failed(error, retry) {
  const signIn = `/admin/login/?next=${encodeURIComponent(location.pathname + location.search)}`;
  const action =
    error.status === 401
      ? el("a", { class: "button primary", href: signIn }, "Sign in")
      : retry && el("button", { class: "button", type: "button", onclick: retry }, icon("refresh"), "Try again");
  return el(
    "div",
    { class: "state", role: "alert" },
    icon("warning"),
    el("h2", {}, error.status === 401 ? "You are signed out" : "That did not work"),
    el("p", {}, error.message),
    el("p", { class: "tiny faint" }, [error.code, error.field].filter(Boolean).join(" · ")),
    action,
  );
}

export function note(tone, ...content) {
  return el("div", { class: `note ${tone}` }, icon(tone === "" ? "info" : "warning"), el("div", {}, content));
}

// Puts what `make` gives in the place of `container`'s content: loading, then the part, or what failed. The newest
// call for a container wins; what an earlier one still brings is dropped.
const turns = new WeakMap();
export async function showIn(container, make, { rows = 3, quiet = false, retry = null } = {}) {
  turns.get(container)?.abort();
  const turn = new AbortController();
  turns.set(container, turn);
  if (!quiet) container.replaceChildren(loading(rows));
  container.setAttribute("aria-busy", "true");
  try {
    const made = await make(turn.signal);
    if (turn.signal.aborted) return;
    container.replaceChildren(...[made].flat(Infinity).filter(Boolean));
  } catch (error) {
    if (turn.signal.aborted) return;
    if (error.status === undefined) console.error(error);
    container.replaceChildren(failed(error, retry ?? (() => showIn(container, make, { rows }))));
  }
  container.setAttribute("aria-busy", "false");
}
