// The cluster: a place for each shard and replica, and the embedders.

import { get, request } from "../api.js";
import { copyButtons } from "../copying.js";
import { $, bar, el, foreign } from "../dom.js";
import { bytes, count, percent, plural } from "../format.js";
import { renew } from "../renewing.js";
import { loading, note } from "../states.js";

const PATH = "/v1/cluster";
const SILENT_SECONDS = 10;
const places = $("[data-places]");
const embedders = $("[data-embedders]");

function age(seconds) {
  if (seconds === null) return "none";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5_400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}

function stateOf(one) {
  if (one.heartbeat_seconds > SILENT_SECONDS) return ["away", "bad", `silent for ${age(one.heartbeat_seconds)}`];
  if (one.ready) return ["", "good", "ready"];
  return ["waiting", "warn", one.state];
}

function placeCard(one) {
  const [kind, tone, words] = stateOf(one);
  const facts = [
    ["Documents", count(one.documents)],
    ["Behind", plural(one.lag, "change")],
    ["Memory of the node", one.memory_bytes === null ? "not said" : bytes(one.memory_bytes)],
    ["It may still take", one.free_memory_bytes === null ? "not said" : bytes(one.free_memory_bytes)],
    ["A vector", bytes(one.vector_bytes)],
    ["Snapshot", one.snapshot_seconds === null ? "none" : `${age(one.snapshot_seconds)} old`],
  ];
  const inGraphs = one.documents ? one.graph_documents / one.documents : 0;
  // Few documents need no graph.
  const graphs = one.documents && !one.graph_documents ? "compared one by one, without graphs" : `${percent(inGraphs)} in graphs`;
  const loaded = one.state === "loading" && one.loading_total ? one.documents / one.loading_total : null;
  return el(
    "article",
    { class: `place ${kind}` },
    el("div", { class: "work-head" }, el("h3", {}, `Replica ${one.replica}`), el("span", { class: `flag ${tone}` }, words)),
    el("p", { class: "tiny muted" }, foreign(`${one.model_id} v${one.version}`)),
    loaded === null ? null : [bar(loaded, `${percent(loaded)} loaded`), el("p", { class: "tiny muted" }, `${percent(loaded)} loaded`)],
    el("dl", {}, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    bar(inGraphs, graphs),
    el("p", { class: "tiny muted" }, graphs),
    one.problem && el("p", { class: "small" }, foreign(one.problem)),
  );
}

function missingCards(found, replicas) {
  const there = new Set(found.map((one) => one.replica));
  return Array.from({ length: replicas }, (_, number) => number)
    .filter((number) => !there.has(number))
    .map((number) => el("article", { class: "place away" }, el("div", { class: "work-head" }, el("h3", {}, `Replica ${number}`), el("span", { class: "flag bad" }, "not there")), el("p", { class: "tiny muted" }, "It reported nothing within the last hour.")));
}

function placeParts(answer) {
  if (answer.places === null) return [note("warn", "Postgres does not say now what index nodes report.")];
  const shards = Array.from({ length: answer.shards }, (_, shard) => {
    const found = answer.places.filter((one) => one.shard === shard).sort((a, b) => a.replica - b.replica || a.version - b.version);
    return el("section", { class: "shard", "aria-label": `Shard ${shard}` }, el("h2", {}, `Shard ${shard}`), el("div", { class: "places" }, found.map(placeCard), missingCards(found, answer.replicas)));
  });
  return [el("div", { class: "shards" }, shards)];
}

function embedderParts(found) {
  const head = el("h2", { class: "section-head" }, "Embedders");
  if (found === null) return [head, note("warn", "The broker does not say now.")];
  const speeds = Object.entries(found.tokens_per_second);
  const lane = (name, words) => {
    const { tokens, seconds } = found.backlog[name];
    return el("article", { class: "card" }, el("h2", {}, words), el("p", { class: "big" }, seconds === null ? "?" : `${seconds.toFixed(seconds < 10 ? 2 : 0)} s`), el("p", { class: "small muted" }, `${count(Math.round(tokens))} tokens wait at the embedders`));
  };
  return [
    head,
    found.count === 0 && note("bad", "No embedder reports: texts wait."),
    el(
      "div",
      { class: "work" },
      el("article", { class: "card" }, el("h2", {}, "Alive"), el("p", { class: "big" }, count(found.count)), speeds.map(([model, speed]) => el("p", { class: "small muted" }, foreign(model), `: ${count(Math.round(speed))} tokens/s each`))),
      lane("interactive", "Queries wait"),
      lane("bulk", "Documents wait"),
    ),
  ];
}

places.replaceChildren(loading(2));
$("[data-copy]").replaceChildren(copyButtons(() => request("GET", PATH)));
renew(places, () => get(PATH), (answer) => {
  places.replaceChildren(...placeParts(answer));
  embedders.replaceChildren(...embedderParts(answer.embedders).filter(Boolean));
});
