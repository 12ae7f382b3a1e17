// The models: a section for each with the namespaces that use it, a card for each version.

import { link } from "../address.js";
import { get, request } from "../api.js";
import { copyButtons } from "../copying.js";
import { countInWords } from "../counting.js";
import { $, el, foreign } from "../dom.js";
import { ago, count, plural } from "../format.js";
import { listNamespaces } from "../namespaces.js";
import { empty, note, showIn } from "../states.js";

const TONES = { active: "good", standby: "", shadow: "warn", backfilling: "warn", retiring: "", retired: "" };
const SHOWN_NAMESPACES = 12;
const place = $("[data-models]");

const versionsPath = (model) => `/v1/models/${model}/versions`;

function versionCard(one) {
  const facts = [
    ["Kind", one.type],
    ["Dimensions", count(one.dimension)],
    ...(one.type === "external" ? [] : [["Reads at most", plural(one.max_tokens, "token")]]),
    ["Kept by nodes as", one.storage],
    ["Registered", el("time", { datetime: one.created_at, title: one.created_at }, ago(one.created_at))],
  ];
  return el(
    "article",
    { class: "card" },
    el("div", { class: "work-head" }, el("h3", {}, `Version ${one.model_version}`), el("span", { class: `flag ${TONES[one.status] ?? ""}` }, one.status)),
    el("dl", { class: "model-facts" }, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    el("p", { class: "small muted" }, probeWords(one.probe, one.type)),
    one.problems.map((problem) => note("bad", foreign(problem))),
    one.status !== "active" && el("p", { class: "tiny muted" }, "Next: ", one.next_step),
  );
}

function probeWords(probe, type) {
  if (probe === null) return "Not probed yet.";
  const when = el("time", { datetime: probe.at, title: probe.at }, ago(probe.at));
  return probe.passed ? ["Probed ", when, type === "external" ? ": it takes vectors." : ": it embeds."] : ["The probe ", when, " failed", probe.problem && [": ", foreign(probe.problem)]];
}

async function modelPart(model, versions, spaces, signal) {
  const users = spaces.filter((space) => space.model_id === model);
  const chips = [];
  for (const space of users.slice(0, SHOWN_NAMESPACES)) {
    const documents = await countInWords(space.name, space, signal);
    chips.push(el("a", { class: "chip", href: link("/console/", { ns: space.name }) }, foreign(space.name, { class: "value" }), el("span", { class: "count" }, documents)));
  }
  return el(
    "section",
    { class: "model", "aria-label": model },
    el("div", { class: "row" }, el("h2", {}, foreign(model)), el("span", { class: "small muted" }, users.length ? `used by ${plural(users.length, "namespace")}` : "no namespace uses it"), el("span", { class: "chips" }, chips), copyButtons(() => request("GET", versionsPath(model)))),
    el("div", { class: "work" }, versions.map(versionCard)),
  );
}

showIn(place, async (signal) => {
  const [{ models }, spaces] = await Promise.all([get("/v1/models", signal), listNamespaces(signal)]);
  const ids = [...new Set(models.map((one) => one.model_id))];
  if (ids.length === 0) return empty({ name: "models", title: "No model is registered", text: "The admin registers models." });
  const parts = [];
  for (const id of ids) parts.push(await modelPart(id, (await get(versionsPath(id), signal)).versions, spaces, signal));
  return parts;
});
