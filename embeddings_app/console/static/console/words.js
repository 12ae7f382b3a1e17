// Where a text holds words of the query, for eyes only: a search by meaning found it without them.

import { el } from "./dom.js";

const WORD = /[\p{L}\p{N}_]+/gu;
const COMMON = new Set("a an and are as at be by do does for from how i in is it of on or that the this to was what when where which who why with".split(" "));
const EXCERPT = 420;

function stem(word) {
  const plain = word.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
  return plain.length > 4 ? plain.replace(/(ing|edly|ed|es|s)$/u, "") : plain;
}

export function wordsOf(query) {
  const all = [...(query ?? "").matchAll(WORD)].map(([word]) => word.toLowerCase());
  return new Set(all.filter((word) => !COMMON.has(word)).map(stem));
}

// The text as nodes, with <mark> around words of the query.
export function marked(text, wanted) {
  const nodes = [];
  let last = 0;
  for (const found of text.matchAll(WORD)) {
    if (!wanted.has(stem(found[0]))) continue;
    nodes.push(text.slice(last, found.index), el("mark", {}, found[0]));
    last = found.index + found[0].length;
  }
  nodes.push(text.slice(last));
  return nodes;
}

// A piece of a text with the words that the service marked in it; its marks count characters, not halves of them.
export function markedPiece({ text, marks }) {
  return markedAt(Array.from(text), marks);
}

// The whole text with the words that the service marked in pieces of it.
export function markedWhole(text, pieces) {
  const marks = pieces.flatMap((piece) => {
    const at = text.indexOf(piece.text);
    const before = Array.from(text.slice(0, Math.max(at, 0))).length;
    return at < 0 ? [] : piece.marks.map(([from, to]) => [before + from, before + to]);
  });
  return markedAt(Array.from(text), marks.sort(([first], [second]) => first - second));
}

function markedAt(characters, marks) {
  const nodes = [];
  let last = 0;
  for (const [from, to] of marks) {
    if (from < last) continue;
    nodes.push(characters.slice(last, from).join(""), el("mark", {}, characters.slice(from, to).join("")));
    last = to;
  }
  nodes.push(characters.slice(last).join(""));
  return nodes;
}

// The part of a long text around the sentence that holds most words of the query: [before it?, part, after it?].
export function excerpt(text, wanted) {
  if (text.length <= EXCERPT) return [false, text, false];
  let best = { hits: -1, index: 0 };
  for (const { segment, index } of new Intl.Segmenter(undefined, { granularity: "sentence" }).segment(text)) {
    const hits = new Set([...segment.matchAll(WORD)].map(([word]) => stem(word)).filter((word) => wanted.has(word))).size;
    if (hits > best.hits) best = { hits, index };
  }
  // A space or a bound of characters, so that no pair of surrogates is cut in two.
  const from = best.hits > 0 ? best.index : 0;
  const to = text.length - from <= EXCERPT ? text.length : Math.max(text.lastIndexOf(" ", from + EXCERPT), from + EXCERPT / 2);
  return [from > 0, text.slice(from, to).toWellFormed(), to < text.length];
}
