// The values of a field as few groups, each of which gets a colour.

import { shown } from "./format.js";

const MOST = 8;
const STEPS = 5;
export const OTHER = "other";
export const NONE = "none";

const isNumber = (value) => typeof value === "number";

function byNumber(values) {
  const sorted = values.filter(isNumber).sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)];
  const bounds = [...new Set(Array.from({ length: STEPS - 1 }, (_, step) => at((step + 1) / STEPS)))];
  const groupOf = (value) => (isNumber(value) ? `step${bounds.filter((bound) => value >= bound).length}` : NONE);
  const edges = [sorted[0], ...bounds, sorted.at(-1)];
  const legend = edges.slice(0, -1).map((low, step) => ({ group: `step${step}`, name: `${shown(low)} to ${shown(edges[step + 1])}` }));
  return { groupOf, legend };
}

function byValue(values, counts) {
  const ranked = [...counts].sort(([one, a], [other, b]) => b - a || (shown(one) < shown(other) ? -1 : 1));
  const groups = new Map(ranked.slice(0, MOST).map(([value], at) => [value, `value${at}`]));
  const groupOf = (value) => (value === null ? NONE : (groups.get(value) ?? OTHER));
  const legend = [...groups].map(([value, group]) => ({ group, name: shown(value) }));
  if (ranked.length > MOST) legend.push({ group: OTHER, name: `${ranked.length - MOST} other values` });
  return { groupOf, legend };
}

// {groupOf: value -> group, legend: [{group, name, count}]}; without a field all are of one group, and no legend.
export function grouped(values) {
  if (values.every((value) => value === undefined)) return { groupOf: () => "value0", legend: [] };
  const counts = new Map();
  for (const value of values) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  const isScale = counts.size > MOST && [...counts.keys()].every(isNumber);
  const { groupOf, legend } = isScale ? byNumber(values) : byValue(values, counts);
  const sizes = new Map();
  for (const value of values) sizes.set(groupOf(value), (sizes.get(groupOf(value)) ?? 0) + 1);
  const size = (group) => sizes.get(group) ?? 0;
  if (size(NONE)) legend.push({ group: NONE, name: "without this field" });
  return { groupOf, legend: legend.map((one) => ({ ...one, count: size(one.group) })) };
}
