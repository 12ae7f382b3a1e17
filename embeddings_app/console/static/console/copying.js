// "Copy as curl / Python" for any request, and copying at all.

import { isSignedIn } from "./api.js";
import { showDialog, say } from "./dialogs.js";
import { el, icon } from "./dom.js";

// Browsers give the clipboard to pages of https and localhost only; elsewhere the text is shown to be copied by hand.
export async function copy(text, what = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
    say(what);
  } catch {
    showDialog("Copy this", (close) => [
      el(
        "div",
        { class: "dialog-body" },
        el("textarea", { class: "input mono", rows: 10, readonly: true, "aria-label": "Text to copy", value: text }),
      ),
      el("div", { class: "row end" }, el("button", { class: "button", type: "button", onclick: close }, "Close")),
    ]);
  }
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

export function asCurl({ method, path, body, headers = {} }) {
  const lines = [`curl -s ${method === "GET" || method === "POST" ? "" : `-X ${method} `}${quoted(location.origin + path)}`];
  if (isSignedIn) lines.push(`-H "Authorization: Bearer $API_KEY"`);
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (method !== "GET") lines.push(`-H 'Content-Type: application/json'`, `-d ${quoted(JSON.stringify(body ?? {}))}`);
  return lines.join(" \\\n  ");
}

// JSON is Python, but for three words and for characters that stand outside of the plane that \u reaches.
function python(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object")
    return `{${Object.entries(value)
      .map(([name, one]) => `${JSON.stringify(name)}: ${python(one)}`)
      .join(", ")}}`;
  return JSON.stringify(value);
}

export function asPython({ method, path, body, headers = {}, isJson = true }) {
  const sent = method === "GET" ? "" : `, json=${python(body ?? {})}`;
  const given = Object.entries(headers).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  if (isSignedIn) given.push(`"Authorization": f"Bearer {os.environ['API_KEY']}"`);
  const key = given.length ? `, headers={${given.join(", ")}}` : "";
  return [
    ...(isSignedIn ? ["import os", ""] : []),
    "import httpx",
    "",
    `answer = httpx.request(${JSON.stringify(method)}, ${JSON.stringify(location.origin + path)}${sent}${key})`,
    "answer.raise_for_status()",
    `print(answer.${isJson ? "json()" : "text"})`,
    "",
  ].join("\n");
}

// Two buttons; `current` gives the request that is shown now, or null where there is none.
export function copyButtons(current) {
  const button = (name, make) =>
    el(
      "button",
      {
        class: "button quiet small",
        type: "button",
        "aria-label": `Copy as ${name}`,
        onclick: () => {
          const asked = current();
          if (asked !== null) copy(make(asked), `Copied as ${name}`);
        },
      },
      icon("copy"),
      name,
    );
  return el("span", { class: "row", role: "group", "aria-label": "Copy the request" }, button("curl", asCurl), button("Python", asPython));
}
