// JSON for people: objects over several lines, lists of plain values in one.

const isPlain = (value) => value === null || typeof value !== "object";

export function pretty(value, indent = "") {
  if (isPlain(value)) return JSON.stringify(value);
  const inner = `${indent}  `;
  const lines = (parts, open, close) => (parts.length ? `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${indent}${close}` : open + close);
  if (Array.isArray(value)) {
    if (value.every(isPlain)) return `[${value.map((one) => JSON.stringify(one)).join(", ")}]`;
    return lines(value.map((one) => pretty(one, inner)), "[", "]");
  }
  return lines(Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${pretty(one, inner)}`), "{", "}");
}
