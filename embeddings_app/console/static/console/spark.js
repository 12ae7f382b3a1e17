// A small line of numbers.

import { svg } from "./dom.js";

const WIDTH = 320;
const HEIGHT = 56;

export function spark(numbers, label) {
  const top = Math.max(...numbers.map(Math.abs), 1e-9);
  const step = WIDTH / Math.max(numbers.length - 1, 1);
  const points = numbers.map((value, at) => `${(at * step).toFixed(1)},${(HEIGHT / 2 - (value / top) * (HEIGHT / 2 - 2)).toFixed(1)}`);
  return svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT / 2, y2: HEIGHT / 2 }),
    svg("polyline", { points: points.join(" ") }),
  );
}
