// The filter above a list: what holds now, what may be added, and how many documents pass.

import { post } from "./api.js";
import { conditions, inWords, isChosen, OPERATORS, setConditions, toFilter, toggled } from "./conditions.js";
import { showDialog } from "./dialogs.js";
import { el, foreign, icon } from "./dom.js";
import { atLeast, count, documentCount, shown } from "./format.js";
import { failed, loading } from "./states.js";

const FACETS = 6;
const VALUES = 8;
const MORE_VALUES = 200;

function valueChip(field, { value, count: number }, list) {
  const chosen = isChosen(list, field.name, value);
  return el(
    "button",
    {
      class: "chip",
      type: "button",
      "aria-pressed": String(chosen),
      onclick: () => setConditions(toggled(conditions(), { path: field.name, value, isListed: field.isList })),
    },
    foreign(shown(value), { class: "value" }),
    el("span", { class: "count" }, count(number)),
  );
}

async function facet(namespace, field, list, limit, signal) {
  const others = list.filter(([name]) => name !== field.name);
  return post("/v1/documents/facet", { namespace, field: field.name, filters: toFilter(others), limit }, signal);
}

function showAllValues(namespace, field) {
  const list = el("div", { class: "chips" }, loading(1));
  const box = el("input", { class: "input", placeholder: "Which?", "aria-label": "Narrow the values" });
  const dialog = showDialog(`Values of ${field.name}`, (close) => [
    el("div", { class: "dialog-body" }, box, list),
    el("div", { class: "row end" }, el("button", { class: "button", type: "button", onclick: close }, "Close")),
  ]);
  facet(namespace, field, conditions(), MORE_VALUES).then(
    ({ values }) => {
      const show = () => {
        const wanted = values.filter(({ value }) => shown(value).toLowerCase().includes(box.value.toLowerCase()));
        list.replaceChildren(...wanted.map((value) => valueChip(field, value, conditions())));
      };
      box.addEventListener("input", show);
      list.addEventListener("click", (event) => event.target.closest("button") && dialog.close());
      show();
    },
    (error) => list.replaceChildren(failed(error)),
  );
}

// One row of chips for each field whose values repeat, one field after the other: each costs a walk. Numbers that are
// many say little one by one; a condition is added for them.
async function facetRows(box, namespace, fields, signal) {
  const list = conditions();
  const rows = [];
  for (const field of fields) {
    if (rows.length === FACETS || signal.aborted) break;
    const { values } = await facet(namespace, field, list, VALUES + 1, signal);
    const isFew = values.length <= VALUES;
    if (values.length === 0 || (!isFew && (field.kind === "number" || values[0].count === 1))) continue;
    rows.push(
      el(
        "div",
        { class: "facet" },
        foreign(field.name, { class: "facet-name", title: field.name }),
        el(
          "div",
          { class: "chips" },
          values.slice(0, VALUES).map((value) => valueChip(field, value, list)),
          values.length > VALUES &&
            el(
              "button",
              { class: "link-button tiny", type: "button", onclick: () => showAllValues(namespace, field) },
              "More…",
            ),
        ),
      ),
    );
  }
  if (!signal.aborted) box.replaceChildren(...rows);
}

function conditionChip(condition, at) {
  return el(
    "button",
    {
      class: "chip on",
      type: "button",
      "aria-label": `Remove: ${inWords(condition)}`,
      onclick: () => setConditions(conditions().toSpliced(at, 1)),
    },
    foreign(inWords(condition), { class: "value" }),
    icon("close"),
  );
}

// The text of the form as the value of a condition. Throws when it is none.
function parsed(text, field, operator) {
  if (operator === "in" || operator === "nin") return text.split(",").map((one) => parsed(one.trim(), field, "eq"));
  if (field.kind === "number" || (field.kind === "mixed" && text !== "" && Number.isFinite(Number(text)))) {
    if (text === "" || !Number.isFinite(Number(text))) throw new Error(`${field.name} holds numbers`);
    return Number(text);
  }
  if (field.kind === "boolean") {
    if (text !== "true" && text !== "false") throw new Error("true or false");
    return text === "true";
  }
  if (text === "") throw new Error("A value is missing");
  return text;
}

function showAddCondition(fields) {
  const field = el("select", { class: "input", id: "condition-field" }, fields.map(({ name }, at) => el("option", { value: at }, name)));
  const operator = el("select", { class: "input", id: "condition-operator" }, [
    ...Object.entries(OPERATORS).map(([name, words]) => el("option", { value: name }, words)),
    el("option", { value: "missing" }, "is missing"),
  ]);
  const value = el("input", { class: "input", id: "condition-value", autocomplete: "off" });
  const problem = el("p", { class: "small", role: "alert" });
  const needsValue = () => !["exists", "missing"].includes(operator.value);
  operator.addEventListener("change", () => (value.parentElement.hidden = !needsValue()));
  showDialog("Add a condition", (close) =>
    el(
      "form",
      {
        method: "dialog",
        onsubmit: (event) => {
          event.preventDefault();
          const chosen = fields[Number(field.value)];
          try {
            const condition = needsValue()
              ? [chosen.name, operator.value, parsed(value.value.trim(), chosen, operator.value)]
              : [chosen.name, "exists", operator.value === "exists"];
            close();
            setConditions([...conditions(), condition]);
          } catch (error) {
            problem.textContent = error.message;
          }
        },
      },
      el(
        "div",
        { class: "dialog-body" },
        el("label", { class: "field" }, el("span", {}, "Field"), field),
        el("label", { class: "field" }, el("span", {}, "Condition"), operator),
        el("label", { class: "field" }, el("span", {}, "Value; several by commas"), value),
        problem,
      ),
      el(
        "div",
        { class: "row end" },
        el("button", { class: "button", type: "button", onclick: close }, "Cancel"),
        el("button", { class: "button primary", type: "submit" }, "Add"),
      ),
    ),
  );
}

// Fills `box`: the conditions, the facets, and the number of documents that pass.
export async function showFilters(box, namespace, { status, fields }, signal) {
  const list = conditions();
  const passing = el("span", { class: "tiny muted", role: "status", "data-passing": true });
  const facets = el("div", { class: "facets" });
  const add =
    fields.length > 0 &&
    el("button", { class: "button quiet small", type: "button", onclick: () => showAddCondition(fields) }, icon("filter"), "Add a condition");
  const clear =
    list.length > 1 &&
    el("button", { class: "link-button tiny", type: "button", onclick: () => setConditions([]) }, "Remove all");
  const old = box.querySelector(".facets");
  if (old) facets.replaceChildren(...old.childNodes);
  box.replaceChildren(el("div", { class: "row" }, list.map(conditionChip), clear, add, passing), facets);
  const total = documentCount(status.count, status.count_is_exact);
  passing.textContent = total;
  if (list.length) {
    const counted = await post("/v1/documents/count", { namespace, filters: toFilter(list) }, signal);
    passing.textContent = `${atLeast(counted.count, counted.is_exact)} of ${total} pass`;
  }
  await facetRows(facets, namespace, fields, signal);
}
