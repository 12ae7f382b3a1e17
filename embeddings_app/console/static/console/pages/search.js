// The search page: a box, a filter, hits as cards, and what the search took.

import { jsonParam, onBack, param, setParams } from "../address.js";
import { get, post, send } from "../api.js";
import { conditions, inWords, setConditions, toFilter } from "../conditions.js";
import { copyButtons } from "../copying.js";
import { $, bar, el, foreign, icon } from "../dom.js";
import { showFilters } from "../filters.js";
import { atLeast, count, documentCount, ms, percent, plural } from "../format.js";
import { hitCard } from "../hits.js";
import { learnNamespace } from "../metadata.js";
import { chosenNamespace, listNamespaces, namespaceSelect, remember } from "../namespaces.js";
import { compareWithExact, DEFAULT_TOP_K, searchBody, searchRequest } from "../searching.js";
import { empty, note, showIn } from "../states.js";
import { wordsOf } from "../words.js";

const SEARCHABLE = ["active", "standby", "shadow"];
const STAGES = [
  ["wait", "Waiting for the write"],
  ["embed", "Embedding the query"],
  ["nodes", "Searching the index"],
  ["carry", "Messages to the nodes"],
  ["words", "Searching the words"],
  ["hydrate", "Reading the documents"],
  ["highlight", "Marking the words"],
  ["rest", "Everything else"],
];
const INCOMPLETE = {
  filling: "Words of older documents are still being read: hits may be missing.",
  too_many: "Too many documents have these words: not all of them were looked at.",
  too_slow: "The search by words was not done in time: hits may be missing.",
};
const results = $("[data-results]");
const side = $("[data-side]");
const filters = $("[data-filters]");
const box = $("#query");
let namespace = null;
let known = null;

// Searches, and shows what came of it; `fresh`: the namespace may have changed.
async function show({ fresh = false } = {}) {
  box.value = param("q");
  readSettings();
  showLike();
  if (namespace === null) return;
  if (fresh || known === null) known = learnNamespace(namespace);
  known.then(offerModes, () => {});
  showIn(filters, async (signal) => {
    await showFilters(filters, namespace, await known, signal);
    return [...filters.childNodes];
  }, { quiet: true });
  const body = searchBody(namespace);
  if (body === null) {
    side.replaceChildren();
    return showIn(results, startPage);
  }
  side.replaceChildren();
  await showIn(results, async (signal) => {
    const answer = await send(searchRequest(body), signal);
    side.replaceChildren(...sideParts(answer, body).filter(Boolean));
    return resultParts(answer, body, signal);
  });
}

async function resultParts(answer, body, signal) {
  const wanted = wordsOf(body.query);
  const head = el(
    "div",
    { class: "row results-head" },
    el("span", { class: "small muted", role: "status" }, `${plural(answer.hits.length, "hit")} in ${ms(answer.timings_ms.total)}`),
    el("span", { class: "small faint" }, foreign(`${answer.model_id} v${answer.model_version}`)),
    el("span", { class: "grow" }),
    copyButtons(() => searchRequest(body)),
  );
  const notes = (answer.warnings ?? []).map((text) => note("warn", foreign(text)));
  if (answer.text?.incomplete) notes.unshift(note("warn", INCOMPLETE[answer.text.incomplete] ?? foreign(answer.text.incomplete)));
  if (answer.vector_error) notes.unshift(note("warn", "Partial: the search by meaning failed (", foreign(answer.vector_error), "); these are the hits by words."));
  if (answer.shards.failed.length > 0)
    notes.unshift(note("warn", el("strong", {}, "Partial. "), `Shard ${answer.shards.failed.join(", ")} did not answer in time: hits may be missing.`));
  if (answer.hits.length === 0) return [head, notes, await nothingFound(signal)];
  const search = { wanted, namespace, mode: body.mode, best: answer.hits[0].score };
  return [head, notes, answer.hits.map((hit) => hitCard(hit, search, () => show({ fresh: true })))];
}

// How many documents pass the filter, and what each condition keeps out.
async function nothingFound(signal) {
  const list = conditions();
  const counted = async (rest) => post("/v1/documents/count", { namespace, filters: toFilter(rest) }, signal);
  const all = await counted([]);
  if (all.count === 0)
    return empty({ name: "documents", title: "The namespace is empty", text: "Write documents first.", actions: [el("a", { class: "button primary", href: "/console/home/" }, "Add documents")] });
  if (list.length === 0)
    return empty({ title: "Nothing was found", text: "The documents wait for their vectors, perhaps. Home shows how far they are." });
  const passing = await counted(list);
  const relaxed = [];
  for (const [at, condition] of list.entries()) relaxed.push({ at, condition, ...(await counted(list.toSpliced(at, 1))) });
  return [
    empty({ name: "filter", title: "Nothing was found", text: `${atLeast(passing.count, passing.is_exact)} of ${documentCount(all.count, all.is_exact)} pass the filter.` }),
    el(
      "ul",
      { class: "relax" },
      relaxed.map(({ at, condition, count: number, is_exact: isExact }) =>
        el(
          "li",
          {},
          el("span", {}, "Without ", foreign(inWords(condition), { class: "mono" }), `, ${atLeast(number, isExact)} pass.`),
          el("button", { class: "button small", type: "button", onclick: () => setConditions(conditions().toSpliced(at, 1)) }, "Remove it"),
        ),
      ),
    ),
  ];
}

async function startPage() {
  const { sample, status } = await known;
  if (status.count === 0)
    return empty({ name: "documents", title: "This namespace is empty", text: "A search needs documents.", actions: [el("a", { class: "button primary", href: "/console/home/" }, "Add documents")] });
  const some = sample.filter((document) => document.text).slice(0, 3);
  return [
    empty({ name: "search", title: `Search ${documentCount(status.count, status.count_is_exact)} by meaning`, text: "A question or a few words; the words need not occur in the documents." }),
    some.length > 0 && el("h3", { class: "start-head" }, "Or begin with a document"),
    some.map((document) =>
      el(
        "button",
        { class: "card start", type: "button", onclick: () => setParams({ like: [document.id], q: null }, { push: true }) },
        foreign(document.text.slice(0, 160), { dir: "auto" }),
        el("span", { class: "tiny faint mono" }, foreign(document.id)),
      ),
    ),
  ];
}

function sideParts({ timings_ms: timings, ef_search: effort }, body) {
  const { shards, nodes = 0, total, ...others } = timings;
  const named = (shards ?? 0) + Object.values(others).reduce((sum, one) => sum + one, 0);
  const spent = { ...timings, carry: shards && Math.max(0, shards - nodes), rest: Math.max(0, total - named) };
  const rows = STAGES.filter(([name]) => spent[name] !== undefined).map(([name, words]) =>
    el("div", { class: "stage" }, el("span", {}, words), el("span", { class: "number" }, ms(spent[name])), bar(spent[name] / total, `${words}: ${ms(spent[name])}`)),
  );
  return [
    el("section", { class: "card" }, el("h2", {}, "Where the time went"), rows, el("p", { class: "stage total" }, el("span", {}, "Total"), el("span", { class: "number" }, ms(total)))),
    body.mode === "text" ? null : recallPart(body, effort),
  ];
}

function recallPart(body, effort) {
  const found = el("div", { class: "small" }, el("p", { class: "muted" }, "Asks the same again, exactly and by the graph, and compares the hits."));
  const compare = () =>
    showIn(found, async (signal) => {
      const { recall, missed, graphMs, exactMs, at } = await compareWithExact(body, signal);
      return [
        el("p", {}, el("strong", { class: "number" }, percent(recall)), ` of the true ${plural(at, "nearest document")}`),
        el("p", { class: "muted" }, `Graph ${ms(graphMs)} with ef ${count(effort)}, exact ${ms(exactMs)}`),
        missed.length > 0 && el("p", { class: "muted" }, "Missed: ", missed.map((id) => [foreign(id, { class: "mono" }), " "])),
      ];
    }, { rows: 1 });
  return el(
    "section",
    { class: "card" },
    el("h2", {}, "Exact against graph"),
    found,
    el("div", { class: "row" }, el("button", { class: "button small", type: "button", onclick: compare }, icon("compare"), "Compare")),
  );
}

function showLike() {
  const like = jsonParam("like", null);
  const place = $("[data-like]");
  place.hidden = !Array.isArray(like) || Boolean(param("q"));
  if (place.hidden) return;
  const clear = el("button", { class: "link-button", type: "button", onclick: () => setParams({ like: null }, { push: true }) }, "Stop");
  place.replaceChildren(icon("similar"), el("span", {}, "Similar to ", like.map((id) => foreign(String(id.id ?? id), { class: "mono" }))), clear);
}

function readSettings() {
  $("#top-k").value = param("k", DEFAULT_TOP_K);
  $("#effort").value = param("ef");
  $("#exact").checked = Boolean(param("exact"));
  $("#effort").disabled = $("#exact").checked;
  $("#mode").value = param("mode");
  if ($("#version")) $("#version").value = param("v");
}

// A namespace keeps words only if it was told to.
function offerModes({ status }) {
  const off = (status.text_search?.language ?? "off") === "off";
  for (const option of $("#mode").options) option.disabled = off && option.value !== "" && option.value !== param("mode");
  $("#mode").title = off ? "Text search is off in this namespace" : "";
}

function listenToSettings() {
  const on = (id, change) => $(id).addEventListener("change", (event) => setParams(change(event.target), { push: true }));
  on("#top-k", (input) => ({ k: Number(input.value) === DEFAULT_TOP_K ? null : Math.min(Math.max(Math.round(Number(input.value)) || DEFAULT_TOP_K, 1), 1000) }));
  on("#mode", (input) => ({ mode: input.value }));
  on("#effort", (input) => ({ ef: input.value }));
  on("#exact", (input) => ({ exact: input.checked && 1 }));
}

async function showVersions(found) {
  const model = found.find((space) => space.name === namespace)?.model_id;
  const { models } = await get("/v1/models");
  const versions = models.filter((one) => one.model_id === model && SEARCHABLE.includes(one.status));
  const select = el("select", { class: "input", id: "version", "aria-label": "Model version" }, [
    el("option", { value: "" }, model ? `${model}` : "The model of the namespace"),
    ...versions.map((one) => el("option", { value: one.model_version }, `v${one.model_version}, ${one.status}`)),
  ]);
  select.addEventListener("change", () => setParams({ v: select.value }, { push: true }));
  $("[data-versions]").replaceChildren(select);
  readSettings();
}

// Down and up go from the box through the cards.
function walkCards(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.target.matches("select, textarea, input:not(#query)") || document.querySelector("dialog[open]")) return;
  const stops = [box, ...results.querySelectorAll("[data-hit]")];
  const next = stops[stops.indexOf(document.activeElement) + step];
  if (!stops.includes(document.activeElement) || !next) return;
  event.preventDefault();
  next.focus();
}

async function start() {
  let found = [];
  const load = async (signal) => {
    found = await listNamespaces(signal);
    namespace = chosenNamespace(found);
    return namespace === null
      ? empty({ name: "documents", title: "There is nothing to search yet", text: "Load a sample, paste a text, or upload a file.", actions: [el("a", { class: "button primary", href: "/console/home/" }, "Add the first documents")] })
      : [];
  };
  await showIn(results, load, { retry: start });
  if (namespace === null) return;
  remember(namespace);
  setParams({ ns: namespace });
  const change = (name) => {
    namespace = name;
    known = null;
    showVersions(found).catch(() => {});
    setParams({ ns: name, where: null, like: null, v: null, mode: null }, { push: true });
  };
  $("[data-namespace]").replaceChildren(namespaceSelect(found, namespace, change));
  document.addEventListener("addresschange", () => show());
  onBack(() => (param("ns") === namespace ? show() : location.reload()));
  showVersions(found).catch(() => {});
  show();
  if (!param("q")) box.focus();
}

$("[data-search]").addEventListener("submit", (event) => {
  event.preventDefault();
  const query = box.value.trim();
  if (query === param("q")) show();
  else setParams({ q: query, like: null }, { push: true });
});
document.addEventListener("keydown", walkCards);
listenToSettings();
start();
