// The filter of a page: conditions [field, operator, value] that must all hold. They stand in the address as `where`.

import { jsonParam, setParams } from "./address.js";
import { shown } from "./format.js";

export const OPERATORS = {
  eq: "is",
  ne: "is not",
  in: "is one of",
  nin: "is none of",
  contains: "contains",
  gte: "at least",
  lte: "at most",
  gt: "more than",
  lt: "less than",
  exists: "is there",
};

const isCondition = (one) => Array.isArray(one) && one.length === 3 && typeof one[0] === "string" && one[1] in OPERATORS;

export function conditions() {
  const found = jsonParam("where", []);
  return Array.isArray(found) ? found.filter(isCondition) : [];
}

export function setConditions(next) {
  setParams({ where: next.length ? next : null, cursor: null, page: null }, { push: true });
}

// The filter of the API; undefined when there is no condition.
export function toFilter(list) {
  const parts = list.map(([field, operator, value]) => ({ [field]: operator === "eq" ? value : { [operator]: value } }));
  return parts.length > 1 ? { and: parts } : parts[0];
}

export function inWords([field, operator, value]) {
  if (operator === "exists") return `${field} ${value ? "is there" : "is missing"}`;
  const values = Array.isArray(value) ? value.map(shown).join(", ") : shown(value);
  return `${field} ${OPERATORS[operator]} ${values}`;
}

// Whether a value of a field is chosen, by `eq`, `in` or `contains`.
export function isChosen(list, field, value) {
  return list.some(
    ([name, operator, wanted]) =>
      name === field &&
      (operator === "in" ? wanted.includes(value) : ["eq", "contains"].includes(operator) && wanted === value),
  );
}

// With the value when it was not chosen, else without. Several values of a field are alternatives; of a list they must
// all be in it.
export function toggled(list, { path, value, isListed }) {
  if (isListed) {
    const others = list.filter(([name, operator, wanted]) => !(name === path && operator === "contains" && wanted === value));
    return others.length < list.length ? others : [...list, [path, "contains", value]];
  }
  const at = list.findIndex(([name, operator]) => name === path && (operator === "eq" || operator === "in"));
  if (at < 0) return [...list, [path, "eq", value]];
  const before = list[at][1] === "in" ? list[at][2] : [list[at][2]];
  const after = before.includes(value) ? before.filter((one) => one !== value) : [...before, value];
  if (after.length === 0) return list.toSpliced(at, 1);
  return list.with(at, after.length === 1 ? [path, "eq", after[0]] : [path, "in", after]);
}
