// A text as its model reads it: a colour for each token, and what is beyond the last one struck through.

import { el } from "./dom.js";
import { count } from "./format.js";

// `item` is one of the answer of /v1/tokenize. Its offsets count characters, where strings of JavaScript count halves of
// those beyond U+FFFF.
export function tokenized(text, item) {
  const characters = Array.from(text.normalize("NFC").trim());
  const slice = (from, to) => characters.slice(from, to).join("");
  const nodes = [];
  let last = 0;
  let turn = 0;
  for (const [from, to] of item.offsets) {
    if (to <= from || from < last) continue;
    if (from > last) nodes.push(slice(last, from));
    nodes.push(el("span", { class: `token t${turn++ % 4}` }, slice(from, to)));
    last = to;
  }
  const rest = slice(last);
  if (rest) nodes.push(item.truncated ? el("s", { class: "beyond", title: "The model does not read this" }, rest) : rest);
  return el("p", { class: "tokens", dir: "auto" }, nodes);
}

export function tokenSummary(item) {
  return item.truncated
    ? `${count(item.tokens)} tokens; the model reads the first ${count(item.ids.length)} of them, what is struck through counts for nothing`
    : `${count(item.tokens)} tokens, all of them read`;
}
