// Taking a delete back: the documents are read before, and written again on demand. What the service does not keep, it cannot
// give back: the question says so before.

import { get, post } from "./api.js";
import { say } from "./dialogs.js";
import { count, plural } from "./format.js";

const AT_ONCE = 100;
const OFFERED_MS = 20_000;
export const MOST = 1_000;

// The documents of these ids as they would be written again; null when one of them could not be.
export async function readToUndo(namespace, ids) {
  if (ids.length === 0 || ids.length > MOST) return null;
  const found = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const body = { namespace, ids: ids.slice(at, at + AT_ONCE), include: ["metadata", "text"] };
    found.push(...(await post("/v1/documents/get", body)).documents);
  }
  // A model that takes vectors takes no text without one.
  if (await takesVectors(namespace)) return withVectors(namespace, found);
  return found.every(({ text }) => text) ? found.map((document) => ({ ...plain(document), text: document.text })) : null;
}

const plain = ({ id, metadata, expires_at: expiresAt }) => ({ id, metadata, ...(expiresAt && { expires_at: expiresAt }) });

async function takesVectors(namespace) {
  const [{ model_id: model }, { models }] = await Promise.all([get(`/v1/namespaces/${encodeURIComponent(namespace)}`), get("/v1/models")]);
  return models.some((one) => one.model_id === model && one.status === "active" && one.type === "external");
}

async function withVectors(namespace, documents) {
  const found = [];
  for (let at = 0; at < documents.length; at += AT_ONCE) {
    const ids = documents.slice(at, at + AT_ONCE).map(({ id }) => id);
    found.push(...(await post("/v1/documents/get", { namespace, ids, include: ["metadata", "text", "vector"] })).documents);
  }
  if (!found.every(({ vector }) => vector)) return null;
  return found.map((document) => ({ ...plain(document), vector: document.vector, ...(document.text && { text: document.text }) }));
}

// What a question before the delete of `number` documents says of the way back.
export function undoWords(kept, number) {
  if (kept) return `You can undo it for ${OFFERED_MS / 1_000} seconds afterwards.`;
  return number > MOST ? `It cannot be undone here: they are more than ${count(MOST)}.` : "It cannot be undone: the service does not keep what it was given, only the vectors.";
}

// Says that documents are gone, and offers to write them again; `onchange` is called when they are back.
export function sayDeleted(text, namespace, kept, onchange) {
  if (!kept) return say(text);
  return say(text, { ms: OFFERED_MS, action: ["Undo", () => restore(namespace, kept, onchange)] });
}

// How many of the documents were refused. The service refuses a request as a whole when it refuses every document of it.
async function refusedOf(body) {
  try {
    return (await post("/v1/upsert", body)).results.filter(({ error }) => error).length;
  } catch (error) {
    if (error.code === "revision_conflict") return body.documents.length;
    throw error;
  }
}

// Only where there is none again: what somebody has written meanwhile stays.
async function restore(namespace, kept, onchange) {
  let refused = 0;
  try {
    for (let at = 0; at < kept.length; at += AT_ONCE) {
      const documents = kept.slice(at, at + AT_ONCE).map((document) => ({ ...document, if_revision: 0 }));
      refused += await refusedOf({ namespace, documents, wait: "indexed" });
    }
  } catch (error) {
    say(error.message, { bad: true });
    return onchange();
  }
  const back = plural(kept.length - refused, "document");
  if (refused) say(`${back} written again, ${refused} refused: somebody wrote them meanwhile`, { bad: true });
  else say(`${back} written again`);
  onchange();
}
