// A search as the address says it, and the same search in other ways to compare with.

import { jsonParam, param } from "./address.js";
import { request, send } from "./api.js";
import { conditions, toFilter } from "./conditions.js";

export const DEFAULT_TOP_K = 10;
const MOST_HIGHLIGHTED = 100;
const MODES = ["text", "hybrid"];
const EFFORTS = /^(auto|\d{1,4})$/;

// What the address asks for; null when it asks for nothing.
export function searchBody(namespace) {
  const query = param("q").trim();
  const like = jsonParam("like", null);
  if (!query && !Array.isArray(like)) return null;
  const body = { namespace, ...(query ? { query } : { like }), top_k: Number(param("k")) || DEFAULT_TOP_K };
  const filters = toFilter(conditions());
  const effort = param("ef");
  if (filters) body.filters = filters;
  if (query && MODES.includes(param("mode"))) Object.assign(body, { mode: param("mode"), ...(body.top_k <= MOST_HIGHLIGHTED && { highlight: true }) });
  if (param("exact")) body.exact = true;
  else if (EFFORTS.test(effort)) body.ef_search = effort === "auto" ? "auto" : Number(effort);
  if (Number(param("v"))) body.model_version = Number(param("v"));
  return { ...body, include: ["metadata", "text"] };
}

export const searchRequest = (body) => request("POST", "/v1/search", body);

// How many of the true nearest documents the graph finds, and what either way takes.
export async function compareWithExact(body, signal) {
  const ask = async (changes) => {
    const { exact, ef_search, include, mode, highlight, ...rest } = body;
    return send(searchRequest({ ...rest, ...(changes.exact ? {} : ef_search && { ef_search }), ...changes, include: [] }), signal);
  };
  const graph = await ask({ exact: false });
  const exact = await ask({ exact: true });
  const found = new Set(graph.hits.map((hit) => hit.id));
  const shared = exact.hits.filter((hit) => found.has(hit.id)).length;
  return {
    recall: exact.hits.length ? shared / exact.hits.length : 1,
    missed: exact.hits.filter((hit) => !found.has(hit.id)).map((hit) => hit.id),
    graphMs: graph.timings_ms.total,
    exactMs: exact.timings_ms.total,
    at: exact.hits.length,
  };
}
