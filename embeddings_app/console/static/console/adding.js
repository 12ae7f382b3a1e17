// Three ways to add documents: a sample, a text that is pasted, a file.

import { link } from "./address.js";
import { post } from "./api.js";
import { say, showDialog } from "./dialogs.js";
import { el, foreign, icon } from "./dom.js";
import { count, plural } from "./format.js";
import { readTable } from "./tables.js";

const CHUNK = 128;
const SAMPLE = "sample";
const MOST_BYTES = 64 * 1024 * 1024;
const SHOWN_REFUSALS = 5;

export function addCards(onchange) {
  const card = (name, title, text, button, act) =>
    el("section", { class: "card add" }, icon(name), el("h2", {}, title), el("p", { class: "small muted" }, text), el("button", { class: "button", type: "button", onclick: act }, button));
  return [
    card("star", "Load the sample", `Sixty sentences in the namespace ${SAMPLE}, to see what a search by meaning finds.`, "Load the sample", () => loadSample(onchange)),
    card("add", "Paste a text", "One document, with an id of your choice.", "Write a document", () => showPaste(onchange)),
    card("upload", "Upload a file", "CSV or JSON lines. The file stays on this machine; its rows are sent as documents.", "Choose a file", () => chooseFile(onchange)),
  ];
}

// Writes documents in chunks; gives how many were written and what was refused. `tell` hears how far it is.
async function write(namespace, documents, tell = () => {}) {
  const refused = [];
  for (let at = 0; at < documents.length; at += CHUNK) {
    tell(at);
    const { results } = await post("/v1/upsert", { namespace, documents: documents.slice(at, at + CHUNK) });
    refused.push(...results.filter((one) => one.error));
  }
  return { written: documents.length - refused.length, refused };
}

function report(namespace, { written, refused }) {
  const see = ["Search", () => location.assign(link("/console/", { ns: namespace }))];
  say(`${plural(written, "document")} written to ${namespace}${refused.length ? `, ${count(refused.length)} refused` : ""}`, { action: see, ms: 12_000 });
}

async function loadSample(onchange) {
  try {
    const rows = await (await fetch(new URL("sample.json", import.meta.url))).json();
    const documents = rows.map(([topic, text], at) => ({ id: `${topic}/${at + 1}`, text, metadata: { topic, words: text.split(" ").length } }));
    report(SAMPLE, await write(SAMPLE, documents));
  } catch (error) {
    say(error.message, { bad: true });
  }
  onchange();
}

function field(label, input) {
  return el("label", { class: "field" }, el("span", {}, label), input);
}

const namespaceInput = () => el("input", { class: "input", name: "namespace", value: "default", required: true, pattern: "[a-z0-9][a-z0-9_\\-]{0,62}", title: "Lower case, digits, - and _" });

function formDialog(title, fields, submit, work) {
  const problem = el("p", { class: "small problem", role: "alert" });
  const button = el("button", { class: "button primary", type: "submit" }, submit);
  showDialog(title, (close) =>
    el(
      "form",
      {
        onsubmit: async (event) => {
          event.preventDefault();
          button.disabled = true;
          problem.textContent = "";
          try {
            if (await work((text) => (button.textContent = text), problem)) close();
          } catch (error) {
            problem.textContent = error.message;
          }
          button.disabled = false;
          button.textContent = submit;
        },
      },
      el("div", { class: "dialog-body" }, fields, problem),
      el("div", { class: "row end" }, el("button", { class: "button", type: "button", onclick: close }, "Cancel"), button),
    ),
  );
}

function showPaste(onchange) {
  const namespace = namespaceInput();
  const id = el("input", { class: "input", value: `note/${Date.now().toString(36)}`, required: true });
  const text = el("textarea", { class: "input", rows: 8, required: true, dir: "auto" });
  formDialog("Write a document", [field("Namespace", namespace), field("Id", id), field("Text", text)], "Write", async () => {
    const { results } = await post("/v1/upsert", { namespace: namespace.value, documents: [{ id: id.value, text: text.value }], wait: "searchable" });
    if (results[0].error) throw new Error(results[0].error.message);
    report(namespace.value, { written: 1, refused: [] });
    onchange();
    return true;
  });
}

function chooseFile(onchange) {
  const input = el("input", { type: "file", accept: ".csv,.tsv,.jsonl,.ndjson,.json" });
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    if (file.size > MOST_BYTES) return say("A browser takes files of up to 64 MB. For larger ones use the Python client: embsearch load.", { bad: true });
    try {
      const table = readTable(file.name, await file.text());
      if (table.rows.length === 0) throw new Error("There is no row in the file.");
      showUpload(file.name, table, onchange);
    } catch (error) {
      say(error.message, { bad: true });
    }
  });
  input.click();
}

// The columns that are most likely meant; the person may choose others.
function guess(columns, names, otherwise) {
  return columns.find((column) => names.includes(column.toLowerCase())) ?? otherwise;
}

function showUpload(name, { columns, rows }, onchange) {
  const namespace = namespaceInput();
  const select = (chosen, none) =>
    Object.assign(el("select", { class: "input" }, none && el("option", { value: "" }, none), columns.map((column) => el("option", { value: column }, column))), { value: chosen });
  const text = select(guess(columns, ["text", "content", "body", "title"], columns[0]));
  const id = select(guess(columns, ["id", "_id", "key", "doc_id"], ""), "The number of the row");
  const preview = el("p", { class: "small muted" }, `${plural(rows.length, "row")}; the first text: `, foreign(String(rows[0][text.value] ?? "").slice(0, 160)));
  formDialog(`Upload ${name}`, [preview, field("Namespace", namespace), field("Text", text), field("Id", id), el("p", { class: "tiny muted" }, "The other columns become metadata.")], "Upload", async (tell, problem) => {
    const documents = rows.map((row, at) => toDocument(row, at, text.value, id.value, name));
    const done = await write(namespace.value, documents, (at) => tell(`${count(at)} of ${count(rows.length)}`));
    report(namespace.value, done);
    onchange();
    if (done.refused.length === 0) return true;
    problem.replaceChildren(`${plural(done.refused.length, "row")} refused. `, ...done.refused.slice(0, SHOWN_REFUSALS).map((one) => el("span", {}, foreign(`${one.id ?? "a row"}: ${one.error.message}`), " ")));
    return false;
  });
}

function toDocument(row, at, textColumn, idColumn, name) {
  const { [textColumn]: text, ...rest } = row;
  if (row.metadata && typeof row.metadata === "object" && "text" in row) Object.assign(rest, row.metadata), delete rest.metadata;
  const id = idColumn ? row[idColumn] : `${name}/${at + 1}`;
  if (idColumn && idColumn !== textColumn) delete rest[idColumn];
  const metadata = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null && value !== ""));
  return { id: String(id ?? ""), text: String(text ?? ""), metadata };
}
