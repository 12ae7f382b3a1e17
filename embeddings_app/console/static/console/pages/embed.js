// The embed page: how near texts are to each other, and what the model reads of each.

import { jsonParam, param, setParams } from "../address.js";
import { get, request, send } from "../api.js";
import { copy, copyButtons } from "../copying.js";
import { $, el, foreign, icon } from "../dom.js";
import { count, ms } from "../format.js";
import { empty, note, showIn } from "../states.js";
import { tokenized, tokenSummary } from "../tokens.js";

const EXAMPLES = ["Foxes live in dens.", "Where do foxes sleep?", "The train to Vienna is late."];
const MOST = 12;
const IN_ADDRESS = 4_000;
const results = $("[data-results]");
const inputs = $("[data-inputs]");
const model = $("#model");

const texts = () => [...inputs.querySelectorAll("textarea")].map((box) => box.value);

function addInput(text) {
  const number = inputs.children.length + 1;
  const remove = el("button", { class: "button quiet square", type: "button", "aria-label": "Remove this text" }, icon("close"));
  const box = el("textarea", { class: "input", rows: 2, dir: "auto", "aria-label": `Text ${number}`, value: text });
  if (number === 1) box.setAttribute("data-box", "");
  const row = el("div", { class: "embed-input" }, box, remove);
  remove.addEventListener("click", () => {
    if (inputs.children.length > 1) row.remove();
  });
  inputs.append(row);
  return box;
}

// Long texts are not in the address: it would be refused.
function keepAddress(given) {
  const written = JSON.stringify(given);
  setParams({ t: written.length <= IN_ADDRESS ? given : null, m: model.value || null, as: $("#kind").value === "query" ? "query" : null });
}

async function show() {
  const given = texts().filter((text) => text.trim());
  if (given.length === 0) return results.replaceChildren(empty({ name: "embed", title: "Write a text first" }));
  keepAddress(given);
  const body = { inputs: given, ...(model.value && { model_id: model.value }), ...($("#kind").value === "query" && { input_type: "query" }) };
  const asked = request("POST", "/v1/embed", body);
  await showIn(results, async (signal) => {
    const started = performance.now();
    const answer = await send(asked, signal);
    const took = performance.now() - started;
    const tokens = await tokensOf(given, answer.model_id, signal);
    return [head(answer, took, asked), matrix(answer, given), given.map((text, at) => onePart(text, at, answer, tokens))];
  });
}

// null for a model that has no tokenizer here.
async function tokensOf(given, modelId, signal) {
  try {
    const body = { inputs: given, model_id: modelId, add_special_tokens: false };
    return (await send(request("POST", "/v1/tokenize", body), signal)).items;
  } catch (error) {
    if (error.code === "no_tokenizer") return null;
    throw error;
  }
}

function head(answer, took, asked) {
  return el(
    "div",
    { class: "row results-head" },
    el("span", { class: "small muted", role: "status" }, `${count(answer.usage.tokens)} tokens in ${ms(took)}, ${count(answer.dimension)} numbers a text`),
    el("span", { class: "small faint" }, foreign(`${answer.model_id} v${answer.model_version}`)),
    el("span", { class: "grow" }),
    copyButtons(() => asked),
  );
}

function cosine(left, right) {
  if (!left || !right) return null;
  let dot = 0, first = 0, second = 0;
  for (let at = 0; at < left.length; at++) {
    dot += left[at] * right[at];
    first += left[at] ** 2;
    second += right[at] ** 2;
  }
  return dot / Math.sqrt(first * second);
}

function matrix({ embeddings }, given) {
  if (given.length < 2) return null;
  const cell = (row, column) => {
    const near = cosine(embeddings[row], embeddings[column]);
    const shown = el("td", {}, near === null ? "none" : near.toFixed(3));
    shown.style.setProperty("--heat", `${Math.round(Math.max(0, near ?? 0) * 45)}%`);
    return shown;
  };
  return el(
    "section",
    { class: "card" },
    el("h2", {}, "How near they are"),
    el(
      "div",
      { class: "matrix-box", tabindex: "0", role: "region", "aria-label": "Cosine similarity of each two texts" },
      el(
        "table",
        { class: "matrix" },
        el("thead", {}, el("tr", {}, el("td", {}), given.map((_, at) => el("th", { scope: "col" }, at + 1)))),
        el(
          "tbody",
          {},
          given.map((text, row) =>
            el("tr", {}, el("th", { scope: "row" }, `${row + 1} `, foreign(text.trim().slice(0, 60), { class: "cut" })), given.map((_, column) => cell(row, column))),
          ),
        ),
      ),
    ),
  );
}

function onePart(text, at, { items, embeddings }, tokens) {
  const item = items[at];
  const vector = embeddings[at];
  return el(
    "section",
    { class: "card" },
    el(
      "div",
      { class: "row" },
      el("h2", {}, `Text ${at + 1}`),
      item.cached ? el("span", { class: "flag good" }, "cached") : el("span", { class: "flag" }, "computed"),
      item.truncated && el("span", { class: "flag warn" }, "cut off"),
      el("span", { class: "grow" }),
      vector && el("button", { class: "button quiet small", type: "button", onclick: () => copy(JSON.stringify(vector), "Vector copied") }, icon("copy"), "Copy vector"),
    ),
    item.error && note("bad", foreign(item.error.message)),
    item.unknown && note("warn", "The model knows no token of this text: all such texts have this vector."),
    tokens
      ? [tokenized(text, tokens[at]), el("p", { class: "tiny muted" }, tokenSummary(tokens[at]))]
      : el("p", { class: "whole-text", dir: "auto" }, text),
  );
}

async function start() {
  const given = jsonParam("t", EXAMPLES);
  for (const text of Array.isArray(given) ? given.slice(0, MOST) : EXAMPLES) addInput(String(text));
  $("#kind").value = param("as", "document");
  $("[data-add]").addEventListener("click", () => inputs.children.length < MOST && addInput("").focus());
  $("[data-embed]").addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
  inputs.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && show());
  await showIn(results, async (signal) => {
    const { data } = await get("/v1/models", signal);
    model.append(...data.map(({ id }) => el("option", { value: id }, id)));
    model.value = param("m");
    return [];
  }, { retry: start });
  if (param("t")) show();
}

start();
