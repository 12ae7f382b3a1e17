// Elements out of values. Texts become text nodes, never markup: there is no innerHTML anywhere in the console.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

// `attributes`: `class`, `on*` for listeners, `data` for data-*, true and false for flags; anything else is set as it is.
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "data") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  return fill(element, children);
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return fill(element, children);
}

export function icon(name) {
  const use = svg("use", { href: `${document.body.dataset.icons}#${name}` });
  return svg("svg", { class: "icon", "aria-hidden": "true" }, use);
}

// A string that others wrote: its direction is its own, and does not turn what stands beside it.
export function foreign(text, attributes = {}) {
  return el("bdi", attributes, text);
}

// A filled bar; `share` is 0 to 1.
export function bar(share, label) {
  const done = el("i");
  done.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return el("div", { class: "bar", role: "img", "aria-label": label }, done);
}

export const $ = (selector, within = document) => within.querySelector(selector);
