// The map page: a sample of documents as points, coloured by a field, with a query among them as a star.

import { onBack, param, setParams } from "../address.js";
import { post, request, send } from "../api.js";
import { conditions, toFilter } from "../conditions.js";
import { copyButtons } from "../copying.js";
import { showDocument } from "../document.js";
import { $, el, foreign, icon } from "../dom.js";
import { showFilters } from "../filters.js";
import { count, percent, plural, shown } from "../format.js";
import { grouped } from "../groups.js";
import { learnNamespace } from "../metadata.js";
import { chosenNamespace, listNamespaces, namespaceSelect, remember } from "../namespaces.js";
import { Scatter } from "../scatter.js";
import { empty, showIn } from "../states.js";

const NEIGHBOURS = 10;
const DEFAULT_SIZE = 2_000;
const LISTED = 200;
const HOVER_MS = 90;
const COLOURS = ["star", "line", "text", "surface"];
const box = $("[data-map]");
const filters = $("[data-filters]");
const legend = $("[data-legend]");
const chosen = $("[data-chosen]");
let namespace = null;
let known = null;
let scatter = null;

function mapBody() {
  const filter = toFilter(conditions());
  const body = { namespace, limit: Number(param("n")) || DEFAULT_SIZE };
  if (filter) body.filters = filter;
  if (param("field")) body.field = param("field");
  return body;
}

// The hits of the query among the same documents; [] without a query.
async function neighbours(query, body, signal) {
  if (!query) return [];
  const search = { namespace, query, top_k: NEIGHBOURS, include: [], ...(body.filters && { filters: body.filters }) };
  return (await post("/v1/search", search, signal)).hits.map((hit) => hit.id);
}

async function show() {
  readSettings();
  if (namespace === null) return;
  known ??= learnNamespace(namespace);
  if (conditions().length) $("[data-fold]").open = true;
  showIn(filters, async (signal) => {
    await showFilters(filters, namespace, await known, signal);
    return [...filters.childNodes];
  }, { quiet: true });
  await showIn(box, async (signal) => {
    showFields((await known).fields);
    const body = mapBody();
    const query = param("q").trim();
    const ids = await neighbours(query, body, signal);
    if (query) body.query = query;
    if (ids.length) body.ids = ids;
    const asked = request("POST", "/v1/documents/map", body);
    const found = await send(asked, signal);
    $("[data-copy]").replaceChildren(copyButtons(() => asked));
    return parts(found, query);
  }, { rows: 5 });
}

function parts(found, query) {
  scatter?.watch.disconnect();
  const points = pointsOf(found);
  legend.hidden = true;
  showChosen(null);
  if (points.length === 0)
    return empty({ name: "map", title: "There is nothing to place", text: conditions().length ? "No document with a vector passes the filter." : "Documents appear here once they have a vector." });
  const groups = grouped(points.map((point) => point.value));
  for (const point of points) point.group = groups.groupOf(point.value);
  showLegend(groups.legend, query);
  const canvas = el("canvas", { tabindex: "0", role: "img", "aria-label": `Map of ${plural(points.length, "document")}. Arrow keys move, plus and minus zoom, 0 shows all.` });
  const tip = el("div", { class: "map-tip", hidden: true });
  const frame = el("div", { class: "map-frame" }, canvas, tip);
  const named = new Set(found.named.map((one) => one.id));
  scatter = new Scatter(canvas, {
    points,
    star: found.query,
    rays: points.flatMap((point, at) => (found.query && named.has(point.id) ? [at] : [])),
    colours: swatchColours,
    onhover: (at, place) => showTip(tip, frame, points[at], place),
    onlasso: (indices) => showChosen(indices.map((at) => points[at]), "in the lasso"),
    onopen: (at) => showDocument(namespace, points[at].id, show),
  });
  return [tools(frame, found, points), frame, el("p", { class: "tiny muted" }, saysOf(found, points))];
}

// The sample, and the neighbours that are not in it.
function pointsOf(found) {
  const there = new Set(found.documents.map((one) => one.id));
  return [...found.documents, ...found.named.filter((one) => !there.has(one.id))];
}

function saysOf(found, points) {
  const all = found.is_whole ? `All ${count(points.length)} documents.` : `A sample of ${plural(points.length, "document")}.`;
  return `${all} The two axes show ${percent(found.shares[0] + found.shares[1])} of what distinguishes their vectors: far apart here is far apart, near may not be alike.`;
}

function tools(frame, found, points) {
  const mode = (isLasso, name, picture) =>
    el("button", { class: "button small", type: "button", "aria-pressed": String(!isLasso), onclick: () => setMode(isLasso) }, icon(picture), name);
  const modes = [mode(false, "Move", "map"), mode(true, "Lasso", "filter")];
  const setMode = (isLasso) => {
    scatter.lassoing = isLasso;
    frame.toggleAttribute("data-lasso", isLasso);
    modes.forEach((button, at) => button.setAttribute("aria-pressed", String(Boolean(at) === isLasso)));
  };
  const plain = (name, onclick) => el("button", { class: "button quiet small", type: "button", onclick }, name);
  return el(
    "div",
    { class: "map-tools" },
    el("span", { class: "row", role: "group", "aria-label": "What dragging does" }, modes),
    plain("Show all", () => scatter.fit()),
    plain("List what is in view", () => showChosen(scatter.inView().map((at) => points[at]), "in view")),
    el("span", { class: "grow" }),
    el("span", { class: "small faint" }, foreign(`${found.model_id} v${found.model_version}`)),
  );
}

function swatchColours() {
  const colour = (name) => getComputedStyle($(`.swatch-${name}`, legend)).backgroundColor;
  const groups = [...legend.querySelectorAll("[data-group]")].map((one) => one.dataset.group);
  return {
    groups: Object.fromEntries(groups.map((name) => [name, colour(name)])),
    ...Object.fromEntries(COLOURS.map((name) => [name, colour(name)])),
  };
}

function showLegend(groups, query) {
  const row = (group, name, number) =>
    el(
      "li",
      {},
      el("i", { class: `swatch swatch-${group}`, "data-group": group }),
      foreign(name, { class: "name", title: name }),
      number !== null && el("span", { class: "tiny faint number" }, count(number)),
    );
  const rows = groups.map(({ group, name, count: number }) => row(group, name, number));
  if (query) rows.push(row("star", query, null));
  // The canvas reads all its colours from swatches: those that no line names are there too, unseen.
  const unseen = [...(groups.length ? [] : ["value0"]), ...COLOURS.filter((name) => name !== "star" || !query)];
  legend.hidden = false;
  legend.replaceChildren(
    el("h2", {}, groups.length ? ["Coloured by ", foreign(param("field"))] : "Documents"),
    rows.length ? el("ul", { class: "legend" }, rows) : el("p", { class: "small muted" }, "Choose a field to colour them by."),
    el("div", { class: "sr-only", "aria-hidden": "true" }, unseen.map((name) => el("i", { class: `swatch swatch-${name}`, "data-group": name }))),
  );
}

const texts = new Map();
let waiting = null;
// What the document says, not its JSON; its text is asked for once, when the pointer rests on it.
function showTip(tip, frame, point, place) {
  clearTimeout(waiting);
  tip.hidden = !point;
  if (!point) return;
  const fill = (text) => tip.replaceChildren(el("p", { dir: "auto" }, text), el("span", { class: "tiny faint mono" }, foreign(point.id)), point.value !== undefined && point.value !== null && el("span", { class: "tiny muted" }, " · ", foreign(shown(point.value))));
  const move = () => {
    const [x, y] = place;
    tip.style.left = `${Math.min(x + 14, frame.clientWidth - tip.offsetWidth - 6)}px`;
    tip.style.top = `${y + 14 + tip.offsetHeight > frame.clientHeight ? y - tip.offsetHeight - 10 : y + 14}px`;
  };
  const key = `${namespace} ${point.id}`;
  fill(texts.get(key) ?? "…");
  move();
  if (texts.has(key)) return;
  waiting = setTimeout(async () => {
    try {
      const { documents } = await post("/v1/documents/get", { namespace, ids: [point.id], include: ["text"] });
      texts.set(key, documents[0]?.text ?? "The text of this document is not kept.");
    } catch (error) {
      texts.set(key, error.message);
    }
    if (scatter.points[scatter.hovered] !== point) return;
    fill(texts.get(key));
    move();
  }, HOVER_MS);
}

function showChosen(points, where = "") {
  if (points === null) {
    chosen.replaceChildren(el("h2", {}, "Chosen"), el("p", { class: "small muted" }, "Draw a lasso around points, or list what is in view. A click on a point opens its document."));
    return;
  }
  const clear = () => {
    scatter.choose([]);
    showChosen(null);
  };
  chosen.replaceChildren(
    el("h2", {}, el("span", { role: "status" }, `${plural(points.length, "document")} ${where}`)),
    el("div", { class: "row" }, el("button", { class: "link-button tiny", type: "button", onclick: clear }, "Clear")),
    el(
      "ul",
      { class: "chosen-list", tabindex: "0", "aria-label": "Chosen documents" },
      points.slice(0, LISTED).map((point) =>
        el("li", {}, el("button", { class: "link-button mono", type: "button", onclick: () => showDocument(namespace, point.id, show) }, foreign(point.id))),
      ),
    ),
    points.length > LISTED ? el("p", { class: "tiny muted" }, `The first ${LISTED} are listed.`) : "",
  );
}

function showFields(fields) {
  const select = $("#field");
  const names = fields.map((field) => field.name);
  if (param("field") && !names.includes(param("field"))) names.push(param("field"));
  select.replaceChildren(el("option", { value: "" }, "nothing"), ...names.map((name) => el("option", { value: name }, name)));
  select.value = param("field");
}

function readSettings() {
  $("#query").value = param("q");
  $("#size").value = param("n");
}

async function start() {
  let found = [];
  await showIn(box, async (signal) => {
    found = await listNamespaces(signal);
    namespace = chosenNamespace(found);
    return namespace === null ? empty({ name: "map", title: "There is nothing to place yet", text: "Write documents first." }) : [];
  }, { retry: start });
  if (namespace === null) return;
  remember(namespace);
  setParams({ ns: namespace });
  const change = (name) => {
    namespace = name;
    known = null;
    setParams({ ns: name, where: null, field: null, q: null }, { push: true });
  };
  $("[data-namespace]").replaceChildren(namespaceSelect(found, namespace, change));
  document.addEventListener("addresschange", () => show());
  onBack(() => (param("ns") === namespace ? show() : location.reload()));
  show();
}

$("[data-form]").addEventListener("submit", (event) => {
  event.preventDefault();
  setParams({ q: $("#query").value.trim() }, { push: true });
});
$("#field").addEventListener("change", (event) => setParams({ field: event.target.value }, { push: true }));
$("#size").addEventListener("change", (event) => setParams({ n: event.target.value }, { push: true }));
new MutationObserver(() => scatter?.draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => scatter?.draw());
start();
