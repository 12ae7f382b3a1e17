// The comparison: one query, two or three indexes, and how far each document moves between them.

import { jsonParam, onBack, param, setParams } from "../address.js";
import { get, post, request, send } from "../api.js";
import { copyButtons } from "../copying.js";
import { showDocument } from "../document.js";
import { $, el, foreign, icon, svg } from "../dom.js";
import { ms, percent } from "../format.js";
import { chosenNamespace, listNamespaces } from "../namespaces.js";
import { overlap, pairs, shifts } from "../ranks.js";
import { empty, failed, note, showIn } from "../states.js";

const SEARCHABLE = ["active", "standby", "shadow"];
const MOST_COLUMNS = 3;
const HITS = 10;
const ROW = 84;
const NAMES = ["A", "B", "C"];
const form = $("[data-columns]");
const results = $("[data-results]");
const overlaps = $("[data-overlap]");
let spaces = [];
let models = [];

const isColumn = (one) => Array.isArray(one) && typeof one[0] === "string";

// [namespace, version] of each column; the version "" is the active one.
function columns() {
  const found = jsonParam("in", []);
  const given = Array.isArray(found) ? found.filter(isColumn).slice(0, MOST_COLUMNS) : [];
  return given.length ? given : startColumns();
}

// Two versions of one model where there are two, else two namespaces of different models, which may hold the same documents,
// else one twice.
function startColumns() {
  const name = chosenNamespace(spaces);
  const other = versionsOf(name).find((one) => one.status !== "active");
  if (other) return [[name, ""], [name, String(other.model_version)]];
  const model = spaces.find((space) => space.name === name)?.model_id;
  return [[name, ""], [spaces.find((space) => space.model_id !== model)?.name ?? name, ""]];
}

function versionsOf(name) {
  const model = spaces.find((space) => space.name === name)?.model_id;
  return models.filter((one) => one.model_id === model && SEARCHABLE.includes(one.status));
}

const setColumns = (next) => setParams({ in: next }, { push: true });
const bodyOf = ([namespace, version], query) => ({ namespace, query, top_k: HITS, ...(version && { model_version: Number(version) }), include: ["text"] });

function showColumns() {
  const list = columns();
  const select = (label, options, value, onchange) => {
    const made = el("select", { class: "input" }, options.map(([key, text]) => el("option", { value: key }, text)));
    made.value = value;
    made.addEventListener("change", () => onchange(made.value));
    return el("label", { class: "field" }, el("span", {}, label), made);
  };
  const column = ([name, version], at) =>
    el(
      "fieldset",
      { class: "compare-column" },
      el("legend", {}, NAMES[at]),
      select("Namespace", spaces.map((space) => [space.name, space.name]), name, (value) => setColumns(list.with(at, [value, ""]))),
      select("Version", [["", "active"], ...versionsOf(name).map((one) => [one.model_version, `v${one.model_version}, ${one.status}`])], version, (value) => setColumns(list.with(at, [name, value]))),
      list.length > 2 && el("button", { class: "button quiet small square", type: "button", "aria-label": `Remove ${NAMES[at]}`, onclick: () => setColumns(list.toSpliced(at, 1)) }, icon("close")),
    );
  const add =
    list.length < MOST_COLUMNS &&
    el("button", { class: "button small", type: "button", onclick: () => setColumns([...list, list.at(-1)]) }, icon("add"), "Add");
  form.replaceChildren(...[...list.map(column), add].filter(Boolean));
}

async function show() {
  $("#query").value = param("q");
  showColumns();
  const query = param("q").trim();
  overlaps.replaceChildren();
  if (!query) return showIn(results, () => empty({ name: "compare", title: "One query, several answers", text: "Choose versions of a model, or namespaces of different models that hold the same documents, and ask once." }));
  await showIn(results, async (signal) => {
    const list = columns();
    const answers = await Promise.all(list.map((column) => answerOf(column, query, signal)));
    const ids = answers.map((answer) => (answer.hits ?? []).map((hit) => hit.id));
    const parts = await overlapParts(list, answers, ids, signal);
    if (!signal.aborted) overlaps.replaceChildren(...parts);
    return el("div", { class: "ranks" }, answers.flatMap((answer, at) => [at > 0 && lines(ids[at - 1], ids[at]), columnPart(list[at], answer, ids, at, query)]));
  });
}

// One that fails says so in its own column.
async function answerOf(column, query, signal) {
  try {
    return await send(request("POST", "/v1/search", bodyOf(column, query)), signal);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return { error };
  }
}

async function overlapParts(list, answers, ids, signal) {
  const parts = [];
  const unrelated = [];
  for (let one = 0; one < ids.length; one++)
    for (let other = one + 1; other < ids.length; other++) {
      if (answers[one].error || answers[other].error) continue;
      if (await areUnrelated(list[one], ids[one], list[other], ids[other], signal)) unrelated.push(`${NAMES[one]} and ${NAMES[other]}`);
      else parts.push(el("div", { class: "overlap" }, el("strong", {}, percent(overlap(ids[one], ids[other]))), el("span", { class: "tiny muted" }, `overlap@${HITS} of ${NAMES[one]} and ${NAMES[other]}`)));
    }
  return [
    parts.length > 0 && el("div", { class: "overlaps" }, parts),
    ...unrelated.map((pair) => note("warn", `${pair} cannot be compared: neither namespace has a document that the other one found. Choose namespaces that hold the same documents.`)),
  ].filter(Boolean);
}

// Whether two answers have nothing in common because no document of one is in the namespace of the other at all. That they
// share no hit is not enough: two models may find different documents among the same.
async function areUnrelated([one], ids, [other], otherIds, signal) {
  if (one === other || !ids.length || !otherIds.length || overlap(ids, otherIds) > 0) return false;
  const has = async (namespace, wanted) => (await post("/v1/documents/get", { namespace, ids: wanted, include: [] }, signal)).documents.length > 0;
  return !(await has(other, ids)) && !(await has(one, otherIds));
}

function columnPart(column, answer, ids, at, query) {
  const asked = request("POST", "/v1/search", bodyOf(column, query));
  const title = el("h2", {}, `${NAMES[at]}: `, foreign(answer.model_id ? `${answer.model_id} v${answer.model_version}` : column[0]));
  if (answer.error) return el("section", { class: "rank-column" }, el("div", { class: "rank-head" }, title), failed(answer.error, show));
  const moved = at > 0 ? shifts(ids[0], ids[at]) : [];
  return el(
    "section",
    { class: "rank-column", "aria-label": `Answer ${NAMES[at]}` },
    el("div", { class: "rank-head" }, title, el("span", { class: "tiny muted" }, foreign(column[0]), `, ${ms(answer.timings_ms.total)}`), copyButtons(() => asked)),
    answer.hits.length
      ? el("ol", {}, answer.hits.map((hit, place) => rank(hit, place, column[0], moved[place])))
      : note("", "Nothing was found."),
  );
}

function rank(hit, place, namespace, shift) {
  return el(
    "li",
    { class: "rank" },
    el(
      "button",
      { type: "button", onclick: () => showDocument(namespace, hit.id, show) },
      el("span", { class: "place" }, place + 1),
      foreign(hit.id, { class: "rank-id mono" }),
      el("span", { class: "row" }, shift !== undefined && shiftFlag(shift), el("span", { class: "number tiny" }, hit.score.toFixed(3))),
      el("span", { class: "rank-text", dir: "auto" }, hit.text ?? ""),
    ),
  );
}

function shiftFlag(shift) {
  if (shift === null) return el("span", { class: "flag warn" }, "only here");
  if (shift === 0) return el("span", { class: "flag" }, "same place");
  return el("span", { class: `flag ${shift > 0 ? "good" : "bad"}` }, `${shift > 0 ? "up" : "down"} ${Math.abs(shift)}`);
}

// Between two columns: a line for each document that both have.
function lines(one, other) {
  const height = ROW * Math.max(one.length, other.length, 1);
  const middle = (at) => at * ROW + (ROW - 8) / 2;
  const path = ([from, to]) => svg("path", { d: `M0 ${middle(from)}C28 ${middle(from)} 28 ${middle(to)} 56 ${middle(to)}`, class: from === to ? "" : "moved" });
  return svg("svg", { class: "rank-lines", viewBox: `0 0 56 ${height}`, height, "aria-hidden": "true" }, pairs(one, other).map(path));
}

async function start() {
  await showIn(results, async (signal) => {
    [spaces, { models }] = await Promise.all([listNamespaces(signal), get("/v1/models", signal)]);
    return spaces.length ? [] : empty({ name: "compare", title: "There is nothing to compare yet", text: "Write documents first." });
  }, { retry: start });
  if (!spaces.length) return;
  document.addEventListener("addresschange", show);
  onBack(show);
  show();
  if (!param("q")) $("#query").focus();
}

$("[data-form]").addEventListener("submit", (event) => {
  event.preventDefault();
  const query = $("#query").value.trim();
  if (query === param("q")) show();
  else setParams({ q: query }, { push: true });
});
start();
