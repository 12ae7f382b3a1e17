// The home page: what there is, what is wrong now, and ways to add documents.

import { link } from "../address.js";
import { get, may } from "../api.js";
import { addCards } from "../adding.js";
import { countInWords } from "../counting.js";
import { $, bar, el, foreign } from "../dom.js";
import { ago, count, percent } from "../format.js";
import { listNamespaces } from "../namespaces.js";
import { readProblems } from "../readiness.js";
import { empty, note, showIn } from "../states.js";

const FIELDS = 5;
const MOST_ROWS = 50;
const BUSY_MS = 3_000;
const IDLE_MS = 20_000;
const QUARANTINED = "/admin/embeddings_app/embeddingrecord/?state=quarantined";
const table = $("[data-namespaces]");
const banner = $("[data-banner]");
let timer = null;

async function show({ quiet = false } = {}) {
  clearTimeout(timer);
  let busy = false;
  await showIn(
    table,
    async (signal) => {
      const found = await listNamespaces(signal);
      if (found.length === 0)
        return empty({ name: "documents", title: "There is nothing here yet", text: may("write") ? "Begin with one of these; a search works a moment later." : "Somebody who may write has to add documents." });
      const rows = [];
      for (const space of found.slice(0, MOST_ROWS)) {
        const status = await get(`/v1/namespaces/${encodeURIComponent(space.name)}`, signal);
        busy ||= status.pending > 0;
        rows.push({ ...space, ...status, documents: await countInWords(space.name, status, signal) });
      }
      showBanner(rows);
      return [tableOf(rows), found.length > rows.length && el("p", { class: "small muted" }, `${count(found.length - rows.length)} more namespaces are not shown here.`)];
    },
    { rows: 2, quiet },
  );
  timer = setTimeout(() => document.visibilityState === "visible" && show({ quiet: true }), busy ? BUSY_MS : IDLE_MS);
}

function tableOf(rows) {
  const head = ["Namespace", "Documents", "Searchable", "Fields", "Model", "Last write"];
  return el(
    "div",
    { class: "table-box", tabindex: "0", role: "region", "aria-label": "Namespaces" },
    el("table", { class: "table" }, el("thead", {}, el("tr", {}, head.map((name, at) => el("th", { scope: "col", class: at === 1 ? "right" : null }, name)))), el("tbody", {}, rows.map(row))),
  );
}

function row(space) {
  const share = space.count ? space.searchable / space.count : 1;
  const more = space.fields.length - FIELDS;
  return el(
    "tr",
    { "data-namespace": space.name },
    el("th", { scope: "row" }, el("a", { href: link("/console/", { ns: space.name }) }, space.name)),
    el("td", { class: "right" }, el("a", { href: link("/console/documents/", { ns: space.name }) }, space.documents)),
    el(
      "td",
      { class: "progress" },
      el("div", { class: "row" }, el("span", { class: "number" }, percent(share)), space.pending > 0 && el("span", { class: "flag warn" }, `${count(space.pending)} pending`), space.quarantined > 0 && el("a", { class: "flag bad", href: QUARANTINED }, `${count(space.quarantined)} quarantined`)),
      bar(share, `${percent(share)} of ${space.name} are searchable`),
    ),
    el("td", {}, el("div", { class: "chips" }, space.fields.slice(0, FIELDS).map((field) => el("span", { class: "chip" }, foreign(field, { class: "value" }))), more > 0 && el("span", { class: "chip" }, `${more} more`))),
    el("td", { class: "model" }, foreign(space.model_id)),
    el("td", {}, space.last_write_at ? el("time", { datetime: space.last_write_at, title: space.last_write_at }, ago(space.last_write_at)) : el("span", { class: "faint" }, space.count ? "unknown" : "never")),
  );
}

// What does not work now, each with a link to where it can be mended.
async function showBanner(rows) {
  const problems = await readProblems();
  const quarantined = rows.filter((space) => space.quarantined > 0);
  banner.replaceChildren(
    ...problems.map(({ name, detail, href }) => note("bad", el("strong", {}, `${name}: `), foreign(detail), " ", el("a", { href }, "See operations"))),
    ...(quarantined.length
      ? [note("warn", `Texts that could not be embedded are in ${quarantined.map((space) => space.name).join(", ")}. `, el("a", { href: QUARANTINED }, "See and retry them"))]
      : []),
  );
}

if (may("write")) $("[data-add]").replaceChildren(...addCards(() => show()));
else $("[data-add]").hidden = true;
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && show({ quiet: true }));
show();
