// The namespaces a page can show, and the choice among them.

import { get } from "./api.js";
import { param } from "./address.js";
import { el } from "./dom.js";

const LAST = "console-namespace";
const MOST = 1_000;

export async function listNamespaces(signal) {
  const found = [];
  let after = null;
  do {
    const page = await get(`/v1/namespaces?${new URLSearchParams({ limit: 100, ...(after ? { after } : {}) })}`, signal);
    found.push(...page.namespaces);
    after = page.next;
  } while (after !== null && found.length < MOST);
  return found;
}

// The namespace of the address, else the one shown last, unless it is empty and another has documents, else one with
// documents, else the first; null without any.
export function chosenNamespace(found) {
  const asked = param("ns");
  if (asked) return asked;
  const named = (name) => found.find((space) => space.name === name);
  const last = named(lastNamespace());
  const full = found.find((space) => space.count > 0);
  const chosen = (last?.count > 0 ? last : full) ?? last ?? found[0];
  return chosen?.name ?? null;
}

export const lastNamespace = () => localStorage.getItem(LAST);
export const remember = (name) => localStorage.setItem(LAST, name);

// A <select>; a namespace of the address that does not exist is among its options, so that the page can say so.
export function namespaceSelect(found, chosen, onchange) {
  const names = found.map((space) => space.name);
  if (chosen !== null && !names.includes(chosen)) names.unshift(chosen);
  const select = el(
    "select",
    { class: "input", id: "namespace", "aria-label": "Namespace" },
    names.map((name) => el("option", { value: name }, name)),
  );
  select.value = chosen ?? "";
  select.addEventListener("change", () => {
    remember(select.value);
    onchange(select.value);
  });
  return select;
}
