// Documents as a file of JSON lines, which an upsert takes again.

import { post } from "./api.js";
import { say, showDialog } from "./dialogs.js";
import { el } from "./dom.js";
import { count, plural } from "./format.js";

const AT_ONCE = 500;
const IDS_AT_ONCE = 256;
const MOST = 200_000;

const line = ({ id, text, metadata, expires_at: expires }) => JSON.stringify({ id, text, metadata, ...(expires && { expires_at: expires }) });

async function* pages({ ids, ...body }, signal) {
  if (ids) {
    for (let at = 0; at < ids.length; at += IDS_AT_ONCE)
      yield (await post("/v1/documents/get", { ...body, ids: ids.slice(at, at + IDS_AT_ONCE) }, signal)).documents;
    return;
  }
  let cursor = null;
  do {
    const page = await post("/v1/documents/query", { ...body, limit: AT_ONCE, ...(cursor && { cursor }) }, signal);
    yield page.documents;
    cursor = page.next;
  } while (cursor !== null);
}

function saveFile(name, lines) {
  const address = URL.createObjectURL(new Blob(lines.map((one) => `${one}\n`), { type: "application/x-ndjson" }));
  const anchor = el("a", { href: address, download: name });
  anchor.click();
  URL.revokeObjectURL(address);
}

// `body` chooses the documents: ids, or what a listing takes.
export async function exportDocuments(namespace, body) {
  const stop = new AbortController();
  const progress = el("p", { class: "dialog-body", role: "status" }, "Reading…");
  const dialog = showDialog("Export", (close) => [progress, el("div", { class: "row end" }, el("button", { class: "button", type: "button", onclick: close }, "Cancel"))]);
  dialog.addEventListener("close", () => stop.abort());
  const lines = [];
  try {
    for await (const documents of pages(body, stop.signal)) {
      lines.push(...documents.map(line));
      progress.textContent = `${count(lines.length)} read`;
      if (lines.length > MOST) throw new Error(`A browser exports up to ${count(MOST)} documents. For more, use the Python client: embsearch export.`);
    }
    saveFile(`${namespace}.jsonl`, lines);
    say(`${plural(lines.length, "document")} exported`);
  } catch (error) {
    if (!stop.signal.aborted) say(error.message, { bad: true });
  }
  dialog.close();
}
