// Requests to the API, as the person who is signed in, or keyless: the console has no other way to data.

const TOKEN = document.body.dataset.token;
const SCOPES = new Set(document.body.dataset.scopes.split(" "));
const ANSWER_MS = 40_000;

export class ApiError extends Error {
  constructor(status, code, message, field) {
    super(message);
    Object.assign(this, { status, code, field });
  }
}

export const may = (scope) => SCOPES.has(scope);
export const isSignedIn = TOKEN !== "";

// A request as a value: it can be sent, and shown as curl. It may also have `headers`, and `isJson` false for an answer in text.
export const request = (method, path, body) => ({ method, path, body });

// The answer as it came, with the time it took. Throws ApiError without one; an aborted request throws AbortError.
export async function exchange({ method, path, body, headers: more = {} }, signal) {
  const headers = { Accept: "application/json", ...more };
  if (TOKEN) headers["X-CSRFToken"] = TOKEN;
  if (method !== "GET") headers["Content-Type"] = "application/json";
  const timeout = AbortSignal.timeout(ANSWER_MS);
  const started = performance.now();
  try {
    const answer = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    const text = await answer.text();
    return { status: answer.status, ok: answer.ok, text, requestId: answer.headers.get("X-Request-Id"), took: performance.now() - started };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "no_answer", "The service does not answer. Is it running?");
  }
}

// The body of a good answer. Throws ApiError; an aborted request throws AbortError.
export async function send(asked, signal) {
  const { status, ok, text } = await exchange(asked, signal);
  let content = null;
  try {
    content = JSON.parse(text);
  } catch {
    // A proxy answered, or a body was cut off.
  }
  if (ok && content !== null) return content;
  const { code = "no_json", message = `The answer ${status} is no JSON.`, field } = content?.error ?? {};
  throw new ApiError(status, code, message, field);
}

export const get = (path, signal) => send(request("GET", path), signal);
export const post = (path, body, signal) => send(request("POST", path, body), signal);
