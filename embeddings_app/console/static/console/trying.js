// The form that makes a request of an operation, sends it and shows the answer.

import { jsonParam, param, setParams } from "./address.js";
import { exchange, may } from "./api.js";
import { copy, copyButtons } from "./copying.js";
import { confirmed } from "./dialogs.js";
import { el, foreign, icon } from "./dom.js";
import { count, ms } from "./format.js";
import { pretty } from "./json.js";
import { lastNamespace } from "./namespaces.js";
import { typeOf } from "./operations.js";
import { note, showIn } from "./states.js";

const IN_ADDRESS = 4_000;
const SHOWN = 60_000;

// Where a parameter is the rest of the path, its slashes stay.
const inPath = (value) => value.split("/").map(encodeURIComponent).join("/");

export function tryPart(operation) {
  const inputs = operation.parameters.map((one) => [one, parameterInput(operation.path, one)]);
  const box = operation.bodies && bodyBox(operation);
  const problem = el("p", { class: "small problem", role: "alert" });
  const answer = el("div", { "data-answer": "", "aria-live": "polite" });
  // The request as it is written now; null when something is wrong, which the form says.
  const current = () => {
    try {
      problem.textContent = "";
      return makeRequest(operation, inputs, box);
    } catch (error) {
      problem.textContent = error.message;
      return null;
    }
  };
  const send = async (event) => {
    event.preventDefault();
    const asked = current();
    if (asked === null) return;
    keepAddress(inputs, box);
    if (operation.takesAway && !(await confirmed(`Send ${asked.method} ${asked.path}?`, el("p", {}, operation.summary, ". It cannot be taken back."), "Send", { danger: true }))) return;
    showIn(answer, async (signal) => answerParts(await exchange(asked, signal)), { rows: 1 });
  };
  const allowed = operation.scopes.length === 0 || operation.scopes.some(may);
  return el(
    "form",
    { class: "card try", onsubmit: send, "aria-label": "Try it" },
    inputs.length > 0 && el("div", { class: "try-parameters" }, inputs.map(([one, input]) => parameterField(one, input))),
    box && [bodyHead(operation, box), box, fieldChips(operation, box)],
    problem,
    !allowed && note("warn", `Your role lacks what this needs: ${operation.scopes.join(" or ")}.`),
    el("div", { class: "row" }, el("button", { class: "button primary", type: "submit", disabled: !allowed }, icon("play"), "Send"), el("span", { class: "grow" }), copyButtons(current)),
    answer,
  );
}

const address = () => jsonParam("p", {}) ?? {};

function parameterInput(path, { name, required, schema }) {
  const given = address()[name] ?? (name === "namespace" || path.includes("/namespaces/") ? namespace() : "");
  return el("input", { class: "input mono", name, required: required && "", autocomplete: "off", spellcheck: "false", placeholder: schema.default ?? "", value: given ?? "" });
}

function parameterField({ name, in: place, schema, description, required }, input) {
  const about = [place === "path" ? null : place, required ? null : "may be left out", typeOf(schema)].filter(Boolean).join(", ");
  return el("label", { class: "field" }, el("span", {}, el("span", { class: "mono" }, name), ` (${about})`), input, (description ?? schema.description) && el("span", { class: "tiny faint" }, described(description ?? schema.description)));
}

// `code` in descriptions.
export const described = (text) => text.split("`").map((part, at) => (at % 2 ? el("code", {}, part) : part));

const namespace = () => param("ns") || lastNamespace();

// An example, in the namespace that the other pages show.
function written(operation, example) {
  const takesNamespace = operation.bodies.some(({ fields }) => fields.some(({ name }) => name === "namespace"));
  const where = takesNamespace && namespace() ? { namespace: namespace() } : {};
  return pretty({ ...where, ...example });
}

function bodyBox(operation) {
  const value = param("body") || written(operation, operation.examples[0]?.[1] ?? {});
  const lines = Math.min(Math.max(value.split("\n").length + 1, 5), 24);
  return el("textarea", { class: "input mono small", rows: lines, spellcheck: "false", "aria-label": "Body, as JSON", value });
}

function bodyHead(operation, box) {
  const choose = el("select", { class: "input", "aria-label": "Example" }, operation.examples.map(([name], at) => el("option", { value: at }, name)));
  choose.addEventListener("change", () => {
    box.value = written(operation, operation.examples[Number(choose.value)][1]);
    box.dispatchEvent(new Event("input"));
  });
  return el("div", { class: "row" }, el("h3", {}, "Body"), operation.examples.length > 1 && [el("span", { class: "grow" }), choose]);
}

// Fields that the body does not have yet: a click writes one into it.
function fieldChips(operation, box) {
  const place = el("div", { class: "chips", role: "group", "aria-label": "Add a field" });
  const body = () => {
    try {
      return JSON.parse(box.value);
    } catch {
      return null;
    }
  };
  const show = () => {
    const now = body();
    if (now === null || typeof now !== "object" || Array.isArray(now)) return place.replaceChildren();
    const all = operation.bodies.flatMap(({ fields }) => fields);
    const left = [...new Map(all.map((one) => [one.name, one])).values()].filter(({ name }) => !(name in now));
    place.replaceChildren(...left.map((one) => el("button", { class: "chip", type: "button", title: one.description, onclick: () => add(one) }, icon("add"), one.name)));
  };
  const add = ({ name, sample }) => {
    box.value = pretty({ ...body(), [name]: sample });
    show();
    const at = box.value.lastIndexOf(JSON.stringify(name)) + name.length + 4;
    box.focus();
    box.setSelectionRange(at, at + JSON.stringify(sample).length);
  };
  box.addEventListener("input", show);
  show();
  return place;
}

// Throws Error with what is wrong.
function makeRequest({ method, path, answers }, inputs, box) {
  const given = inputs.filter(([, input]) => input.value !== "");
  const missing = inputs.find(([{ required }, input]) => required && input.value === "");
  if (missing) throw new Error(`${missing[0].name} is needed.`);
  const of = (place) => given.filter(([one]) => one.in === place).map(([{ name }, input]) => [name, input.value]);
  const filled = of("path").reduce((text, [name, value]) => text.replace(`{${name}}`, () => inPath(value)), path);
  const query = new URLSearchParams(of("query")).toString();
  const isJson = answers.find(({ status }) => status < 300).isJson;
  return { method, path: query ? `${filled}?${query}` : filled, body: box ? parsed(box.value) : undefined, headers: Object.fromEntries(of("header")), isJson };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The body is no JSON: ${error.message}`);
  }
}

// A long body is not in the address: it would be refused.
function keepAddress(inputs, box) {
  const given = Object.fromEntries(inputs.filter(([, input]) => input.value !== "").map(([{ name }, input]) => [name, input.value]));
  setParams({ p: Object.keys(given).length ? given : null, body: box && box.value.length <= IN_ADDRESS ? box.value : null });
}

function answerParts({ status, ok, text, requestId, took }) {
  const content = readable(text);
  const head = el(
    "div",
    { class: "row" },
    el("span", { class: `flag ${ok ? "good" : "bad"}` }, String(status)),
    el("span", { class: "small muted number" }, ms(took)),
    requestId && el("span", { class: "tiny faint" }, "request ", foreign(requestId, { class: "mono" })),
    el("span", { class: "grow" }),
    el("button", { class: "button quiet small", type: "button", onclick: () => copy(text, "Answer copied") }, icon("copy"), "Answer"),
  );
  const more = content.length > SHOWN && el("p", { class: "tiny muted" }, `${count(content.length - SHOWN)} more characters are not shown; Answer copies all.`);
  return [head, el("pre", { class: "snippet", tabindex: "0", role: "region", "aria-label": "Answer" }, content.slice(0, SHOWN).toWellFormed() || "(no content)"), more];
}

function readable(text) {
  try {
    return pretty(JSON.parse(text));
  } catch {
    return text;
  }
}
