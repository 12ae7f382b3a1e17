// The drawer with one document: text and tokens, metadata to change, vector, similar documents.

import { link } from "./address.js";
import { may, post, request, send } from "./api.js";
import { copy, copyButtons } from "./copying.js";
import { confirmed, say, showDrawer } from "./dialogs.js";
import { el, foreign, icon } from "./dom.js";
import { ago, count } from "./format.js";
import { spark } from "./spark.js";
import { showIn } from "./states.js";
import { tokenized, tokenSummary } from "./tokens.js";
import { readToUndo, sayDeleted, undoWords } from "./undoing.js";

const SHOWN_NUMBERS = 6;

const readRequest = (namespace, id) =>
  request("POST", "/v1/documents/get", { namespace, ids: [id], include: ["metadata", "text", "vector"] });

export function similarLink(namespace, id) {
  const address = link("/console/", { ns: namespace, like: JSON.stringify([id]) });
  return el("a", { class: "button quiet small", href: address }, icon("similar"), "Similar");
}

// `onchange` is called when the document was changed or deleted.
export function showDocument(namespace, id, onchange = () => {}) {
  const { dialog, body } = showDrawer(foreign(id));
  const show = () =>
    showIn(body, async (signal) => {
      const { documents } = await send(readRequest(namespace, id), signal);
      if (documents.length === 0)
        return el("p", { class: "muted" }, "There is no such document any more. It was deleted, or it has expired.");
      return parts(documents[0], { dialog, again: show, onchange });
    });
  dialog.addEventListener("click", (event) => event.target.closest("a") && dialog.close());
  return show();
}

function parts(document, steps) {
  return [
    tools(document, steps),
    facts(document),
    textPart(document),
    metadataPart(document, steps),
    vectorPart(document),
  ];
}

function tools(document, { dialog, onchange }) {
  const remove = async () => {
    try {
      const kept = await readToUndo(document.namespace, [document.id]);
      const text = [el("p", {}, "The document ", foreign(document.id, { class: "mono" }), " goes with its text, its vectors and its cache entries. Backups keep it."), el("p", { class: "small muted" }, undoWords(kept, 1))];
      if (!(await confirmed("Delete this document?", text, "Delete", { danger: true }))) return;
      await post("/v1/documents/delete", { namespace: document.namespace, ids: [document.id] });
      dialog.close();
      sayDeleted("Deleted", document.namespace, kept, onchange);
      onchange();
    } catch (error) {
      say(error.message, { bad: true });
    }
  };
  return el(
    "div",
    { class: "row" },
    similarLink(document.namespace, document.id),
    el("button", { class: "button quiet small", type: "button", onclick: () => copy(document.id, "Id copied") }, icon("copy"), "Id"),
    copyButtons(() => readRequest(document.namespace, document.id)),
    may("write") && el("button", { class: "button quiet small", type: "button", onclick: remove }, icon("trash"), "Delete"),
  );
}

const TONES = { indexed: "good", pending: "warn", quarantined: "bad" };

function facts(document) {
  const fact = (name, value) => el("div", {}, el("dt", { class: "tiny muted" }, name), el("dd", {}, value));
  return el(
    "dl",
    { class: "facts" },
    fact("State", [el("span", { class: `flag ${TONES[document.state]}` }, document.state), document.stale && el("span", { class: "flag warn" }, "stale")]),
    fact("Revision", count(document.revision)),
    fact("Written", el("time", { datetime: document.updated_at, title: document.updated_at }, ago(document.updated_at))),
    document.expires_at && fact("Expires", el("time", { datetime: document.expires_at, title: document.expires_at }, ago(document.expires_at))),
  );
}

function textPart(document) {
  if (!document.text)
    return el("section", {}, el("h3", {}, "Text"), el("p", { class: "muted small" }, "The text of this document is not kept."));
  const text = el("div", {}, el("p", { class: "whole-text", dir: "auto" }, document.text));
  const summary = el("p", { class: "tiny muted" });
  const show = async () => {
    button.disabled = true;
    await showIn(text, async (signal) => {
      const model = await modelOf(document.namespace, signal);
      const { items } = await post("/v1/tokenize", { inputs: [document.text], model_id: model, add_special_tokens: false }, signal);
      summary.textContent = tokenSummary(items[0]);
      return tokenized(document.text, items[0]);
    }, { rows: 1 });
  };
  const button = el("button", { class: "button small", type: "button", onclick: show }, icon("tokens"), "Show tokens");
  return el("section", {}, el("div", { class: "row" }, el("h3", {}, "Text"), may("embed") && button), summary, text);
}

async function modelOf(namespace, signal) {
  return (await send(request("GET", `/v1/namespaces/${encodeURIComponent(namespace)}`), signal)).model_id;
}

// What a change of the metadata is to the API: fields that are new or other, and fields that go.
function changeOf(before, after) {
  const same = (name) => JSON.stringify(before[name]) === JSON.stringify(after[name]);
  const set = Object.fromEntries(Object.entries(after).filter(([name]) => !(name in before) || !same(name)));
  const unset = Object.keys(before).filter((name) => !(name in after));
  return { ...(Object.keys(set).length && { set }), ...(unset.length && { unset }) };
}

function metadataPart(document, { again, onchange }) {
  const written = JSON.stringify(document.metadata, null, 2);
  const lines = Math.min(Math.max(written.split("\n").length, 3), 16);
  const box = el("textarea", { class: "input mono small", rows: lines, spellcheck: "false", "aria-label": "Metadata, as JSON", readonly: !may("write"), value: written });
  const problem = el("p", { class: "small problem", role: "alert" });
  const save = async () => {
    problem.textContent = "";
    try {
      const after = JSON.parse(box.value);
      if (after === null || typeof after !== "object" || Array.isArray(after)) throw new Error("Metadata is an object: {…}");
      const change = changeOf(document.metadata, after);
      if (Object.keys(change).length === 0) throw new Error("Nothing is different");
      const body = { namespace: document.namespace, ids: [document.id], ...change };
      const { refused } = await post("/v1/documents/update", body);
      if (refused.length) throw new Error(refused[0].error.message);
      say("Metadata saved");
      onchange();
      again();
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  return el(
    "section",
    {},
    el("h3", {}, "Metadata"),
    box,
    problem,
    may("write") && el("div", { class: "row end" }, el("button", { class: "button small", type: "button", onclick: save }, "Save metadata")),
  );
}

function vectorPart({ vector }) {
  if (!vector) return el("section", {}, el("h3", {}, "Vector"), el("p", { class: "muted small" }, "There is none yet."));
  const norm = Math.hypot(...vector);
  const first = vector.slice(0, SHOWN_NUMBERS).map((one) => one.toFixed(4));
  return el(
    "section",
    {},
    el(
      "div",
      { class: "row" },
      el("h3", {}, "Vector"),
      el("span", { class: "tiny muted number" }, `${count(vector.length)} numbers, norm ${norm.toFixed(4)}`),
      el("button", { class: "button quiet small", type: "button", onclick: () => copy(JSON.stringify(vector), "Vector copied") }, icon("copy"), "Copy"),
    ),
    spark(vector, "The numbers of the vector in their order"),
    el("p", { class: "tiny mono faint" }, `[${first.join(", ")}, …]`),
  );
}
