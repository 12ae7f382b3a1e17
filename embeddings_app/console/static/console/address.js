// What a page shows stands in its address: it can be shared, and Back goes back.

const read = () => new URLSearchParams(location.search);

export const param = (name, otherwise = "") => read().get(name) ?? otherwise;

export function jsonParam(name, otherwise) {
  try {
    return JSON.parse(param(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

// Takes what is null, "" or false out. `push`: Back returns to what was shown before.
export function setParams(changes, { push = false } = {}) {
  const params = read();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "" || value === false) params.delete(name);
    else params.set(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  const query = params.toString();
  const address = query ? `?${query}` : location.pathname;
  if (address === (location.search || location.pathname)) return;
  history[push ? "pushState" : "replaceState"](null, "", address);
  document.dispatchEvent(new Event("addresschange"));
}

// The path of another page that shows `params`.
export const link = (page, params) => `${page}?${new URLSearchParams(params)}`;

export const onBack = (show) => addEventListener("popstate", show);
