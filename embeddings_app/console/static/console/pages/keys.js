// The keys: listed with what they may and when they were used, made (and shown once), revoked.

import { get, post, request, send } from "../api.js";
import { copy, copyButtons } from "../copying.js";
import { confirmed, say, showDialog } from "../dialogs.js";
import { $, el, foreign, icon } from "../dom.js";
import { ago, count } from "../format.js";
import { snippets } from "../snippets.js";
import { empty, note, showIn } from "../states.js";

const PATH = "/v1/keys";
const PAGE = 100;
const SCOPES = { embed: "texts to vectors", search: "search and read", write: "write and delete documents", operate: "metrics, steps of models, runs and imports", admin: "also register models, start imports" };
const TONES = { active: "good", expired: "warn", revoked: "" };
const FIRST = "This is the first key. From now on every request needs a key, and this console a login, for good: also when the key is revoked.";
const place = $("[data-keys]");
let isFirst = false;

const listing = (after) => request("GET", `${PATH}?limit=${PAGE}${after ? `&after=${after}` : ""}`);
const time = (moment) => (moment ? el("time", { datetime: moment, title: moment }, ago(moment)) : "never");

function limits(key) {
  const parts = [
    [key.requests_per_second, "requests"],
    [key.inputs_per_second, "inputs"],
  ].filter(([rate]) => rate !== null);
  return parts.length ? `${parts.map(([rate, what]) => `${count(rate)} ${what}`).join(", ")} a second` : "none";
}

async function revoke(key) {
  const text = [el("p", {}, "Within five seconds nothing can use ", foreign(key.name), " any more. It cannot be brought back.")];
  if (!(await confirmed("Revoke this key", text, "Revoke", { danger: true }))) return;
  try {
    await send(request("DELETE", `${PATH}/${key.prefix}`));
    say("The key is revoked");
    show();
  } catch (error) {
    say(error.message, { bad: true });
  }
}

function row(key) {
  const button = el("button", { class: "button small", type: "button", "aria-label": `Revoke ${key.prefix}`, onclick: () => revoke(key) }, "Revoke");
  return el(
    "tr",
    {},
    el("th", { scope: "row", class: "name" }, foreign(key.name), el("div", { class: "tiny faint" }, `emb_${key.prefix}_…`)),
    el("td", {}, el("span", { class: `flag ${TONES[key.state]}` }, key.state)),
    el("td", {}, key.scopes.join(", ")),
    el("td", {}, key.namespaces.length ? foreign(key.namespaces.join(", ")) : "all"),
    el("td", {}, limits(key)),
    el("td", {}, time(key.last_used_at)),
    el("td", {}, key.expires_at ?? "never"),
    el("td", {}, key.state === "revoked" ? null : button),
  );
}

function table(keys) {
  const names = ["Key", "State", "May", "Namespaces", "Limits", "Last used", "Expires (UTC)"];
  return el(
    "div",
    { class: "table-box", tabindex: "0", role: "region", "aria-label": "Table of keys" },
    el("table", { class: "table keys" }, el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col" }, name)), el("td", {}))), el("tbody", {}, keys.map(row))),
  );
}

function show() {
  showIn(place, async (signal) => {
    const keys = [];
    for (let after = null, more = true; more; more = after !== null) {
      const page = await send(listing(after), signal);
      keys.push(...page.keys);
      isFirst = page.next_key_ends_keyless_use;
      after = page.next;
    }
    if (keys.length) return table(keys);
    return empty({ name: "key", title: "There is no key", text: isFirst ? "Everybody on this machine may do everything. The first key ends that, for good." : "Requests need the root key until you make one." });
  });
}

function field(name, label, attributes = {}) {
  return el("label", { class: "field" }, el("span", {}, label), el("input", { class: "input", name, autocomplete: "off", ...attributes }));
}

function form(close) {
  const box = el("div", { "aria-live": "polite" });
  const scopes = Object.entries(SCOPES).map(([scope, means]) =>
    el("label", { class: "check" }, el("input", { type: "checkbox", name: "scopes", value: scope, checked: isFirst || scope === "search" }), `${scope}: ${means}`),
  );
  return el(
    "form",
    { onsubmit: (event) => make(event, box, close) },
    el(
      "div",
      { class: "dialog-body" },
      isFirst && note("warn", FIRST),
      field("name", "Who uses it, and for what", { required: true, maxlength: 128 }),
      el("fieldset", { class: "scopes" }, el("legend", {}, "It may"), scopes),
      field("namespaces", "Namespaces, with spaces between; empty: all"),
      field("expires_at", "Expires (UTC); empty: never", { type: "datetime-local" }),
      field("requests_per_second", "Requests a second; empty: no limit", { type: "number", min: 0.001, step: "any" }),
      isFirst && el("label", { class: "check" }, el("input", { type: "checkbox", name: "first", required: true }), "I know that keyless use ends"),
      box,
    ),
    el("div", { class: "row end" }, el("button", { class: "button", type: "button", onclick: close }, "Cancel"), el("button", { class: "button primary", type: "submit" }, "Make the key")),
  );
}

async function make(event, box, close) {
  event.preventDefault();
  const data = new FormData(event.target);
  const body = { name: data.get("name"), scopes: data.getAll("scopes"), namespaces: data.get("namespaces").split(/[\s,]+/).filter(Boolean) };
  if (data.get("expires_at")) body.expires_at = `${data.get("expires_at").slice(0, 16)}:00Z`;
  if (data.get("requests_per_second")) body.requests_per_second = Number(data.get("requests_per_second"));
  if (isFirst) body.ends_keyless_use = data.has("first");
  const button = $("[type=submit]", event.target);
  button.disabled = true;
  try {
    const made = await post(PATH, body);
    const wasFirst = isFirst;
    close();
    showSecret(made, wasFirst);
    if (!wasFirst) show();
  } catch (error) {
    button.disabled = false;
    box.replaceChildren(note("bad", error.message, error.field && ` (${error.field})`));
  }
}

function showSecret({ key, secret }, wasFirst) {
  const code = el("pre", { class: "snippet", tabindex: "0" });
  const shown = snippets(location.origin, secret, key);
  const tabs = Object.entries(shown).map(([name, text]) => el("button", { class: "button small", type: "button", "aria-pressed": "false", onclick: (event) => choose(event.target, text) }, name));
  function choose(tab, text) {
    for (const one of tabs) one.setAttribute("aria-pressed", String(one === tab));
    code.setAttribute("aria-label", tab.textContent);
    code.textContent = text;
  }
  const dialog = showDialog("Your new key", (close) => [
    el(
      "div",
      { class: "dialog-body" },
      note("warn", "It is shown now and never again: copy it before you close this."),
      el("p", {}, foreign(key.name)),
      el("div", { class: "secret", "data-secret": "" }, secret),
      el("div", { class: "row" }, el("button", { class: "button", type: "button", onclick: () => copy(secret, "The key is copied") }, icon("copy"), "Copy the key")),
      el("div", { class: "row", role: "group", "aria-label": "How to use it" }, tabs),
      code,
      el("div", { class: "row" }, el("button", { class: "button quiet small", type: "button", onclick: () => copy(code.textContent) }, icon("copy"), "Copy the example")),
    ),
    el("div", { class: "row end" }, el("button", { class: "button primary", type: "button", onclick: close }, "I have copied it")),
  ], { isKept: true });
  // A keyless page has no rights any more: it is loaded again, and asks for the login.
  if (wasFirst) dialog.addEventListener("close", () => location.reload());
  choose(tabs[0], Object.values(shown)[0]);
}

$("[data-copy]").append(copyButtons(() => listing(null)));
$("[data-make]").addEventListener("click", () => showDialog("Make a key", form));
show();
