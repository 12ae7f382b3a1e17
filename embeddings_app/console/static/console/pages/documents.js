// The documents page: a table to go through, to select from, to delete and to export.

import { onBack, param, setParams } from "../address.js";
import { may, post, request, send } from "../api.js";
import { conditions, toFilter } from "../conditions.js";
import { copyButtons } from "../copying.js";
import { confirmed, say } from "../dialogs.js";
import { showDocument } from "../document.js";
import { $, el, foreign, icon } from "../dom.js";
import { exportDocuments } from "../exporting.js";
import { showFilters } from "../filters.js";
import { ago, count, documentCount, plural, shown } from "../format.js";
import { flatten, learnNamespace } from "../metadata.js";
import { chosenNamespace, listNamespaces, namespaceSelect, remember } from "../namespaces.js";
import { empty, showIn } from "../states.js";
import { MOST, readToUndo, sayDeleted, undoWords } from "../undoing.js";

const PAGE_DOCUMENTS = 50;
const COLUMNS = 4;
const PREVIEW = 120;
const AT_ONCE = 256;
const TONES = { indexed: "good", pending: "warn", quarantined: "bad" };
const table = $("[data-table]");
const filters = $("[data-filters]");
const tools = $("[data-tools]");
const selected = new Set();
let namespace = null;
let known = null;

const listBody = () => ({
  namespace,
  ...(conditions().length && { filters: toFilter(conditions()) }),
  ...(param("order") === "-id" && { order: "-id" }),
});

function pageRequest() {
  const cursor = param("cursor");
  return request("POST", "/v1/documents/query", { ...listBody(), limit: PAGE_DOCUMENTS, ...(cursor && { cursor }) });
}

async function show({ fresh = false } = {}) {
  if (fresh || known === null) known = learnNamespace(namespace);
  selected.clear();
  showTools();
  showIn(
    filters,
    async (signal) => {
      await showFilters(filters, namespace, await known, signal);
      return [...filters.childNodes];
    },
    { quiet: true },
  );
  await showIn(table, async (signal) => {
    const [page, { fields }] = await Promise.all([send(pageRequest(), signal), known]);
    if (page.documents.length === 0 && page.next === null) return nothing();
    return [rowsOf(page.documents, fields.slice(0, COLUMNS)), pager(page)];
  });
}

function nothing() {
  return conditions().length
    ? empty({ name: "filter", title: "No document passes the filter" })
    : empty({ name: "documents", title: "There is no document here", actions: [el("a", { class: "button primary", href: "/console/home/" }, "Add documents")] });
}

function rowsOf(documents, fields) {
  const all = el("input", { type: "checkbox", "aria-label": "Select all on this page" });
  const boxes = documents.map(({ id }) => el("input", { type: "checkbox", "aria-label": `Select ${id}`, value: id }));
  const choose = (box) => {
    selected[box.checked ? "add" : "delete"](box.value);
    all.checked = boxes.every((one) => one.checked);
    showTools();
  };
  boxes.forEach((box) => box.addEventListener("change", () => choose(box)));
  all.addEventListener("change", () => {
    const chosen = all.checked;
    boxes.forEach((box) => {
      box.checked = chosen;
      choose(box);
    });
  });
  const names = ["Id", "Text", ...fields.map(({ name }) => name), "State", "Written"];
  return el(
    "div",
    { class: "table-box", tabindex: "0", role: "region", "aria-label": "Documents" },
    el(
      "table",
      { class: "table documents" },
      el("thead", {}, el("tr", {}, el("td", {}, all), names.map((name) => el("th", { scope: "col" }, foreign(name))))),
      el("tbody", {}, documents.map((document, at) => row(document, boxes[at], fields))),
    ),
  );
}

function row(document, box, fields) {
  const values = flatten(document.metadata);
  const cell = ({ name }) => {
    const text = values.filter(({ path }) => path === name).map(({ value }) => shown(value)).join(", ");
    return el("td", {}, foreign(text, { class: "cut", title: text }));
  };
  const open = () => showDocument(namespace, document.id, () => show({ fresh: true }));
  return el(
    "tr",
    { "data-document": document.id },
    el("td", {}, box),
    el("th", { scope: "row" }, el("button", { class: "link-button mono cut", type: "button", onclick: open }, foreign(document.id))),
    el("td", {}, document.text ? foreign(document.text.slice(0, PREVIEW).toWellFormed(), { class: "cut text" }) : el("span", { class: "faint" }, "not kept")),
    fields.map(cell),
    el("td", {}, el("span", { class: `flag ${TONES[document.state]}` }, document.state)),
    el("td", { class: "when" }, el("time", { datetime: document.updated_at, title: document.updated_at }, ago(document.updated_at))),
  );
}

function pager({ documents, next }) {
  return el(
    "div",
    { class: "row pager" },
    el("span", { class: "small muted" }, plural(documents.length, "document"), " on this page"),
    el("span", { class: "grow" }),
    param("cursor") && el("button", { class: "button", type: "button", onclick: () => setParams({ cursor: null }, { push: true }) }, "First page"),
    next && el("button", { class: "button", type: "button", "data-next": true, onclick: () => setParams({ cursor: next }, { push: true }) }, "Next page", icon("next")),
  );
}

function showTools() {
  const some = selected.size > 0;
  const what = some ? plural(selected.size, "selected document") : conditions().length ? "all that pass" : "all";
  const button = (name, label, act, tone = "") => el("button", { class: `button small ${tone}`, type: "button", onclick: act }, icon(name), label);
  tools.replaceChildren(
    ...[
      button("download", `Export ${what}`, exportThem),
      may("write") && (some || conditions().length > 0) && button("trash", `Delete ${what}`, () => (some ? deleteSelected() : deletePassing())),
      el("span", { class: "grow" }),
      copyButtons(pageRequest),
    ].filter(Boolean),
  );
}

function exportThem() {
  const ids = [...selected];
  exportDocuments(namespace, ids.length ? { namespace, ids } : listBody());
}

async function deleteSelected() {
  const ids = [...selected];
  const list = el("ul", { class: "named" }, ids.slice(0, 5).map((id) => el("li", { class: "mono small" }, foreign(id))), ids.length > 5 && el("li", { class: "small muted" }, `and ${count(ids.length - 5)} more`));
  await deleteAfterQuestion(`Delete ${plural(ids.length, "document")}?`, list, ids, () => deleteIds(ids));
}

async function deleteIds(ids) {
  let deleted = 0;
  for (let at = 0; at < ids.length; at += AT_ONCE)
    deleted += (await post("/v1/documents/delete", { namespace, ids: ids.slice(at, at + AT_ONCE) })).deleted;
  return deleted;
}

// So few that the delete can be undone are named before, and no other goes; more are deleted by the filter.
async function deletePassing() {
  const body = { namespace, filters: toFilter(conditions()) };
  let counted, ids;
  try {
    counted = await post("/v1/documents/delete", { ...body, dry_run: true });
    ids = counted.deleted <= MOST ? await passingIds(body) : null;
  } catch (error) {
    return say(error.message, { bad: true });
  }
  if (ids) return deleteAfterQuestion(`Delete ${plural(ids.length, "document")}?`, el("p", {}, "All that pass the filter now."), ids, () => deleteIds(ids));
  await deleteAfterQuestion(`Delete ${documentCount(counted.deleted, counted.is_exact)}?`, el("p", {}, "All that pass the filter at the moment of their deletion."), null, async () => {
    let deleted = 0;
    let cursor = null;
    do {
      const done = await post("/v1/documents/delete", { ...body, ...(cursor && { cursor }) });
      deleted += done.deleted;
      cursor = done.next;
    } while (cursor !== null);
    return deleted;
  });
}

// null when they have become too many meanwhile.
async function passingIds(body) {
  const ids = [];
  let cursor = null;
  do {
    const page = await post("/v1/documents/query", { ...body, limit: MOST, include: [], ...(cursor && { cursor }) });
    ids.push(...page.documents.map(({ id }) => id));
    cursor = page.next;
  } while (cursor !== null && ids.length <= MOST);
  return ids.length <= MOST ? ids : null;
}

// `ids`: null for more than could be undone.
async function deleteAfterQuestion(title, what, ids, remove) {
  try {
    const kept = ids && (await readToUndo(namespace, ids));
    const text = [what, el("p", { class: "small muted" }, `They go with their texts, vectors and cache entries. Backups keep them. ${undoWords(kept, ids?.length ?? Infinity)}`)];
    if (!(await confirmed(title, text, "Delete", { danger: true }))) return;
    sayDeleted(`${plural(await remove(), "document")} deleted`, namespace, kept, () => show({ fresh: true }));
  } catch (error) {
    say(error.message, { bad: true });
  }
  show({ fresh: true });
}

async function start() {
  let found = [];
  const load = async (signal) => {
    found = await listNamespaces(signal);
    namespace = chosenNamespace(found);
    return namespace === null ? nothing() : [];
  };
  await showIn(table, load, { retry: start });
  if (namespace === null) return;
  remember(namespace);
  setParams({ ns: namespace });
  const change = (name) => {
    namespace = name;
    known = null;
    setParams({ ns: name, where: null, cursor: null }, { push: true });
  };
  $("[data-namespace]").replaceChildren(namespaceSelect(found, namespace, change));
  $("#order").value = param("order", "id");
  $("#order").addEventListener("change", (event) => setParams({ order: event.target.value === "id" ? null : "-id", cursor: null }, { push: true }));
  document.addEventListener("addresschange", () => show());
  onBack(() => (param("ns") === namespace ? show() : location.reload()));
  show();
}

start();
