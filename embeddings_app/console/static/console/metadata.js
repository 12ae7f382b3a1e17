// Metadata as a flat list of fields, and what kinds of values a namespace holds.

import { get, post } from "./api.js";
import { countOf } from "./counting.js";

const SAMPLE = 50;

// [dotted path, value] of each value; a list gives each of its values, marked as `isListed`.
export function flatten(metadata, before = "", isListed = false) {
  return Object.entries(metadata ?? {}).flatMap(([name, value]) => flattenOne(before + name, value, isListed));
}

function flattenOne(path, value, isListed) {
  if (value === null) return [];
  if (Array.isArray(value)) return value.flatMap((one) => flattenOne(path, one, true));
  if (typeof value === "object") return flatten(value, `${path}.`, isListed);
  return [{ path, value, isListed }];
}

// A namespace as pages need it: its status, some of its documents, and of each field the kind of its values.
export async function learnNamespace(name, signal) {
  const [status, listed] = await Promise.all([
    get(`/v1/namespaces/${encodeURIComponent(name)}`, signal),
    post("/v1/documents/query", { namespace: name, limit: SAMPLE }, signal),
  ]);
  const kinds = new Map(status.fields.map((field) => [field, new Set()]));
  const lists = new Set();
  for (const document of listed.documents)
    for (const { path, value, isListed } of flatten(document.metadata)) {
      kinds.get(path)?.add(typeof value);
      if (isListed) lists.add(path);
    }
  const fields = status.fields
    .filter((field) => !["and", "or", "not"].includes(field))
    .map((field) => {
      const found = [...kinds.get(field)];
      return { name: field, kind: found.length === 1 ? found[0] : "mixed", isList: lists.has(field) };
    });
  const { count, isExact } = await countOf(name, status, signal);
  return { status: { ...status, count, count_is_exact: isExact }, fields, sample: listed.documents };
}
