// The API page: every route as the OpenAPI document has it, to read, to copy and to try as the person who is signed in.

import { onBack, param, setParams } from "../address.js";
import { $, el, icon } from "../dom.js";
import { pretty } from "../json.js";
import { readOperations } from "../operations.js";
import { empty, showIn } from "../states.js";
import { described, tryPart } from "../trying.js";

const list = $("[data-routes]");
const place = $("[data-route]");
const box = $("[data-box]");
let groups = [];
let shown = null;

const method = (name) => el("span", { class: `method ${name.toLowerCase()}` }, name);
const chosen = () => groups.flatMap(({ operations }) => operations).find(({ id }) => id === param("op"));

function matches({ method, path, summary, description, id }, words) {
  const text = `${method} ${path} ${summary} ${description} ${id}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function showList() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const parts = groups.flatMap(({ name, about, operations }) => {
    const found = operations.filter((one) => matches(one, words));
    return found.length ? [el("h2", { class: "routes-head", title: about }, name), el("ul", {}, found.map((one) => el("li", {}, routeLink(one))))] : [];
  });
  list.replaceChildren(...(parts.length ? parts : [el("p", { class: "small muted" }, "No route has these words.")]));
}

function routeLink(operation) {
  const choose = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    setParams({ op: operation.id, p: null, body: null }, { push: true });
  };
  const isShown = operation.id === shown?.id;
  return el(
    "a",
    { class: "route", href: `?${new URLSearchParams({ op: operation.id })}`, onclick: choose, "aria-current": isShown ? "true" : null },
    method(operation.method),
    el("span", { class: "route-path mono" }, operation.path),
    el("span", { class: "route-summary tiny" }, operation.summary),
  );
}

function show() {
  const operation = chosen() ?? (param("op") ? null : groups[0].operations[0]);
  if (operation !== null && operation === shown) return;
  shown = operation;
  showList();
  place.replaceChildren(...(operation ? routeParts(operation) : [empty({ title: "There is no such route", text: "It may be of another version of the service." })]));
}

function routeParts(operation) {
  const { method: name, path, summary, description, scopes } = operation;
  return [
    el("h2", { class: "route-title" }, summary),
    el("p", { class: "row route-line" }, method(name), el("span", { class: "mono" }, path), scopes.length > 0 && el("span", { class: "tiny muted" }, "scope ", scopes.map((scope, at) => [at > 0 && " or ", el("code", {}, scope)]))),
    description && el("p", { class: "small" }, described(description)),
    tryPart(operation),
    ...(operation.bodies ?? []).map((body) => bodyTable(body, operation.bodies.length > 1)),
    answersPart(operation.answers),
  ].filter(Boolean);
}

function bodyTable({ title, fields }, isOneOfMany) {
  const name = isOneOfMany && title ? `Fields: ${title}` : "Fields of the body";
  const row = (field) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", class: "mono" }, field.name, field.isNeeded && el("span", { class: "flag warn" }, "needed")),
      el("td", { class: "tiny mono" }, field.type),
      el("td", { class: "tiny mono" }, field.otherwise === undefined ? "" : JSON.stringify(field.otherwise)),
      el("td", { class: "small" }, described(field.description)),
    );
  const head = ["Name", "Type", "Default", "Meaning"].map((one) => el("th", { scope: "col" }, one));
  return el(
    "section",
    {},
    el("h3", {}, name),
    el("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": name }, el("table", { class: "table fields" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, fields.map(row)))),
  );
}

function answersPart(answers) {
  const one = ({ status, description, examples }) =>
    el(
      "details",
      { class: "answer" },
      el("summary", {}, el("span", { class: `flag ${status < 300 ? "good" : "bad"}` }, String(status)), el("span", { class: "small" }, described(description.split("\n")[0]))),
      description.includes("\n") && el("p", { class: "small more" }, described(description)),
      examples.map(([name, value]) => [el("p", { class: "tiny muted" }, name), el("pre", { class: "snippet", tabindex: "0", role: "region", "aria-label": `Example ${name}` }, typeof value === "string" ? value : pretty(value))]),
    );
  return el("section", {}, el("h3", {}, "Answers"), answers.map(one));
}

box.addEventListener("input", showList);
document.addEventListener("addresschange", show);
onBack(() => {
  shown = null;
  show();
});
await showIn(place, async (signal) => {
  groups = await readOperations(signal);
  return [];
});
if (groups.length) show();
