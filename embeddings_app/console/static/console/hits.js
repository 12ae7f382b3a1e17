// A hit as a card.

import { conditions, isChosen, setConditions, toggled } from "./conditions.js";
import { showDocument, similarLink } from "./document.js";
import { bar, el, foreign } from "./dom.js";
import { shown } from "./format.js";
import { flatten } from "./metadata.js";
import { excerpt, marked, markedPiece, markedWhole } from "./words.js";

const CHIPS = 12;

export function metadataChips(metadata) {
  const values = flatten(metadata);
  const list = conditions();
  const chips = values.slice(0, CHIPS).map((one) =>
    el(
      "button",
      {
        class: "chip",
        type: "button",
        title: "Filter by this",
        "aria-pressed": String(isChosen(list, one.path, one.value)),
        onclick: () => setConditions(toggled(conditions(), one)),
      },
      foreign(one.path),
      foreign(shown(one.value), { class: "value" }),
    ),
  );
  if (values.length > CHIPS) chips.push(el("span", { class: "chip" }, `${values.length - CHIPS} more`));
  return el("div", { class: "chips" }, chips);
}

function textOf(hit, wanted) {
  if (hit.text === null || hit.text === undefined || hit.text === "")
    return el("p", { class: "muted small" }, "The text of this document is not kept.");
  const [before, part, after] = excerpt(hit.text, wanted);
  const found = hit.highlights ?? [];
  const whole = () => (found.length > 0 ? markedWhole(hit.text, found) : marked(hit.text, wanted));
  if (!before && !after) return el("p", { class: "hit-text", dir: "auto" }, whole());
  const pieces = found.map((piece) => ["… ", markedPiece(piece), " "]);
  const text = el("p", { class: "hit-text", dir: "auto" }, pieces.length > 0 ? [pieces, "…"] : [before && "… ", marked(part, wanted), after && " …"]);
  const all = el(
    "button",
    {
      class: "link-button tiny",
      type: "button",
      onclick: () => {
        text.replaceChildren(...whole());
        all.remove();
      },
    },
    "Whole text",
  );
  return [text, all];
}

const RANKS = { vector: "by meaning", text: "by words" };

// A score beside the best one: cosine similarity is a share by itself, what counts words has no upper end.
function scoreOf(hit, mode, best) {
  const name = { text: "BM25", hybrid: "Fused ranks" }[mode] ?? "Cosine similarity";
  const share = mode === "text" ? hit.score / best : hit.score;
  return el("div", { class: "hit-score", title: name }, bar(share, `${name} ${hit.score.toFixed(3)}`), el("span", { class: "number small" }, hit.score.toFixed(3)));
}

// `search` is {wanted, namespace, mode, best}: the words of the query, and the score of the first hit.
export function hitCard(hit, { wanted, namespace, mode, best }, onchange) {
  const open = () => showDocument(namespace, hit.id, onchange);
  const onKey = (event) => {
    if (event.key !== "Enter" || event.target !== event.currentTarget) return;
    // Or the same key would press the first button of the drawer.
    event.preventDefault();
    open();
  };
  return el(
    "article",
    { class: "card hit", tabindex: "0", "data-hit": hit.id, onkeydown: onKey },
    el(
      "div",
      { class: "hit-head" },
      scoreOf(hit, mode, best),
      el("button", { class: "link-button mono hit-id", type: "button", onclick: open }, foreign(hit.id)),
      hit.stale && el("span", { class: "flag warn", title: "Found by the vector of an earlier text" }, "stale"),
      Object.entries(hit.ranks ?? {}).map(([half, place]) => el("span", { class: "flag" }, `${place}. ${RANKS[half]}`)),
      similarLink(namespace, hit.id),
    ),
    textOf(hit, wanted),
    metadataChips(hit.metadata),
  );
}
