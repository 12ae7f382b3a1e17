// How many documents a namespace has: the same number on every page.

import { post } from "./api.js";
import { atLeast } from "./format.js";

// `told`: what a list or the status of the namespace says, {count, count_is_exact}. Both stop counting at numbers of their
// own; beyond, the index nodes count, exactly. Where they are not to be had, what was told stays a lower bound.
export async function countOf(namespace, told, signal) {
  if (told.count_is_exact) return { count: told.count, isExact: true };
  try {
    const counted = await post("/v1/documents/count", { namespace }, signal);
    return { count: Math.max(counted.count, told.count), isExact: counted.is_exact };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return { count: told.count, isExact: false };
  }
}

export async function countInWords(namespace, told, signal) {
  const { count, isExact } = await countOf(namespace, told, signal);
  return atLeast(count, isExact);
}
