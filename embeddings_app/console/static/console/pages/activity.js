// What goes on beside requests: texts that wait, re-embeddings, bulk jobs, backups; and searches to look at.

import { get, request } from "../api.js";
import { copyButtons } from "../copying.js";
import { $, bar, el, foreign } from "../dom.js";
import { ago, bytes, count, ms, percent, plural } from "../format.js";
import { loading, empty, note } from "../states.js";
import { renew } from "../renewing.js";

const PATH = "/v1/activity";
const OPEN = ["running", "paused", "queued", "planned", "loading", "building", "preparing", "registering", "aborting", "failed"];
const LATE_HOURS = 24;
const SHOWN_BACKUPS = 3;
const work = $("[data-work]");
const searches = $("[data-searches]");

function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3_600).toFixed(1)} h`;
}

// Cards of what is under way, and of what ended within a day.
function isShown(one) {
  return OPEN.includes(one.state) || Date.now() - Date.parse(one.ended_at) < LATE_HOURS * 3_600_000;
}

const card = (title, flag, tone, ...content) =>
  el("article", { class: "card" }, el("div", { class: "work-head" }, el("h2", {}, title), el("span", { class: `flag ${tone}` }, flag)), content);

function waitingCard(one, before, seconds) {
  const rate = before ? Math.max(0, (before.pending - one.pending) / seconds) : 0;
  const left = rate > 0 ? `${count(Math.round(rate))}/s, ${span(one.pending / rate)} left` : one.pending ? "no pace yet" : "everything is embedded";
  return card(
    ["Texts for ", foreign(`${one.model_id} v${one.version}`)],
    one.pending ? "embedding" : "idle",
    one.pending ? "warn" : "good",
    el("p", { class: "big" }, count(one.pending), one.pending >= 100_000 && "+"),
    el("p", { class: "small muted" }, `wait for their vectors: ${left}`),
    one.quarantined > 0 && el("p", { class: "small" }, el("span", { class: "flag bad" }, plural(one.quarantined, "text")), " failed and wait for a person"),
  );
}

const TONES = { running: "warn", loading: "warn", spreading: "warn", building: "warn", preparing: "warn", registering: "warn", failed: "bad", finished: "good", done: "good" };

function jobCard({ title, state, share, rate, unit, left, problem, endedAt }) {
  const pace = [rate !== null && `${count(Math.round(rate))} ${unit}/s`, left !== null && `${span(left)} left`, endedAt && `ended ${ago(endedAt)}`].filter(Boolean);
  return card(
    title,
    state,
    TONES[state] ?? "",
    bar(share, `${percent(share)} done`),
    el("p", { class: "small muted" }, [percent(share), ...pace].join(" · ")),
    problem && el("p", { class: "small" }, foreign(problem)),
  );
}

const runCard = (run) =>
  jobCard({ title: ["Re-embedding ", foreign(`${run.model_id} v${run.model_version}`)], state: run.state, share: run.share, rate: run.documents_per_second, unit: "documents", left: run.seconds_left, problem: run.problem, endedAt: run.ended_at });

const bulkCard = (job) =>
  jobCard({ title: [`Import ${job.job_id} into `, foreign(job.namespace)], state: job.ended_at ? job.state : job.stage, share: job.share, rate: job.rows_per_second, unit: "rows", left: job.seconds_left, problem: job.problem, endedAt: job.ended_at });

// The stages are of unlike length, so a backup has a bar for the one that it is in.
function backupCard(one) {
  const isRunning = one.state === "running";
  const facts = [
    isRunning && one.stage,
    one.share !== null && isRunning && `${percent(one.share)} of it`,
    one.bytes > 0 && bytes(one.bytes),
    one.bytes_per_second && `${bytes(one.bytes_per_second)}/s`,
    one.seconds_left !== null && `${span(one.seconds_left)} left`,
    one.ended_at && `ended ${ago(one.ended_at)}`,
  ];
  return card(
    ["Backup ", foreign(one.directory)],
    one.state,
    { running: "warn", made: "good", failed: "bad" }[one.state],
    one.share !== null && bar(one.share, `${percent(one.share)} of ${one.stage || "the backup"}`),
    el("p", { class: "small muted" }, facts.filter(Boolean).join(" · ")),
    el("p", { class: "tiny faint" }, "by ", foreign(one.actor)),
    one.problem && el("p", { class: "small" }, foreign(one.problem)),
  );
}

function workParts(answer, before) {
  const seconds = before ? (answer.at - before.at) / 1_000 : 1;
  const was = (one) => before?.waiting?.find((other) => other.model_id === one.model_id && other.version === one.version);
  const cards = [
    ...(answer.waiting ?? []).map((one) => waitingCard(one, was(one), seconds)),
    ...answer.runs.filter(isShown).map(runCard),
    ...answer.bulk_jobs.filter(isShown).map(bulkCard),
    ...answer.backups.filter((one) => one.ended_at === null).map(backupCard),
    ...answer.backups.filter((one) => one.ended_at !== null).slice(0, SHOWN_BACKUPS).map(backupCard),
  ];
  return [
    answer.waiting === null && note("warn", "Postgres does not say now which texts wait."),
    answer.oldest_pending_seconds > 60 && note("warn", `The oldest write has waited for its vector for ${span(answer.oldest_pending_seconds)}.`),
    el("div", { class: "work" }, cards),
  ];
}

function searchRow(one) {
  const stages = Object.entries(one.timings_ms).filter(([name]) => name !== "total");
  return el(
    "tr",
    {},
    el("td", {}, el("time", { datetime: one.at, title: one.at }, ago(one.at))),
    el("td", {}, foreign(one.namespace)),
    el("td", {}, one.hits === 0 ? el("span", { class: "flag warn" }, "found nothing") : el("span", { class: "flag bad" }, "slow"), one.partial && el("span", { class: "flag bad" }, "partial")),
    el("td", { class: "right" }, ms(one.timings_ms.total)),
    el("td", { class: "tiny stages" }, stages.map(([name, time]) => `${name} ${ms(time)}`).join(", ")),
    el("td", { class: "tiny" }, foreign(one.filter_fields.join(", "))),
    el("td", { class: "asked" }, one.text === null ? el("span", { class: "faint" }, "not kept") : foreign(one.text, { dir: "auto" })),
    el("td", { class: "tiny mono" }, one.request_id),
  );
}

function searchParts(found) {
  const head = el("h2", { class: "section-head" }, "Searches that were slow or found nothing");
  if (found === null) return [head, note("warn", "The cache, which keeps them, does not answer.")];
  if (found.length === 0) return [head, empty({ name: "search", title: "There are none", text: "The newest 200 of the last week appear here." })];
  const columns = ["When", "Namespace", "What", "Time", "Stages", "Filter on", "Asked", "Request"];
  const table = el("table", { class: "table searches" }, el("thead", {}, el("tr", {}, columns.map((name) => el("th", { class: name === "Time" ? "right" : null }, name)))), el("tbody", {}, found.map(searchRow)));
  return [head, el("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": "Searches" }, table)];
}

let shownSearches = "";
work.replaceChildren(loading(2));
$("[data-copy]").replaceChildren(copyButtons(() => request("GET", PATH)));
renew(work, () => get(PATH), (answer, before) => {
  work.replaceChildren(...workParts(answer, before).filter(Boolean));
  // Drawn again only when there are others: a table under the eyes of a reader stays where it is.
  const newest = JSON.stringify(answer.searches?.[0] ?? answer.searches);
  if (newest === shownSearches) return;
  shownSearches = newest;
  searches.replaceChildren(...searchParts(answer.searches));
});
