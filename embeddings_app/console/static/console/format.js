// Numbers and times as people read them.

const counts = new Intl.NumberFormat("en");
const ages = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

export const count = (number) => counts.format(number);
export const atLeast = (number, isExact) => (isExact ? count(number) : `${count(number)}+`);
export const documentCount = (number, isExact) => (isExact ? plural(number, "document") : `${atLeast(number, isExact)} documents`);
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
export const ms = (number) => `${number < 10 ? number.toFixed(1) : Math.round(number)} ms`;
export const percent = (share) => `${Math.round(share * 1000) / 10} %`;

export function ago(timestamp) {
  const seconds = (Date.parse(timestamp) - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return ages.format(Math.round(seconds / size), unit);
}

const SIZES = ["bytes", "KiB", "MiB", "GiB", "TiB"];

export function bytes(number) {
  const step = Math.min(Math.floor(Math.log2(Math.max(number, 1)) / 10), SIZES.length - 1);
  const shown = number / 1024 ** step;
  return `${shown < 10 && step > 0 ? shown.toFixed(1) : count(Math.round(shown))} ${SIZES[step]}`;
}

// A metadata value in one line.
export const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));
