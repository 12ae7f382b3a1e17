// Points on a canvas: drag to move, wheel or keys to zoom, hover to ask, a lasso to choose. Knows nothing of documents.

const NEAR = 12;
const MARGIN = 0.06;
const STEP = 40;
const SIZE = 2.6;

function starPath(x, y, radius) {
  const path = new Path2D();
  for (let at = 0; at < 10; at++) {
    const reach = at % 2 ? radius * 0.45 : radius;
    const angle = (at * Math.PI) / 5 - Math.PI / 2;
    path.lineTo(x + reach * Math.cos(angle), y + reach * Math.sin(angle));
  }
  path.closePath();
  return path;
}

// Whether the place lies inside the polygon: how often a ray to the right crosses its edge.
export function isInside([x, y], polygon) {
  let inside = false;
  for (let at = 0, before = polygon.length - 1; at < polygon.length; before = at++) {
    const [ax, ay] = polygon[at];
    const [bx, by] = polygon[before];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

// `points`: [{x, y, group}], `star`: {x, y} or null, `rays`: indices of points it is joined with. `colours()` gives a
// colour for each group, and those of lines, star and lasso by name; it is asked at every drawing, as the theme may change.
export class Scatter {
  constructor(canvas, { points, star, rays, colours, onhover, onlasso, onopen }) {
    Object.assign(this, { canvas, points, star, rays, colours, onhover, onlasso, onopen });
    this.context = canvas.getContext("2d");
    this.chosen = new Set();
    this.lassoing = false;
    this.trail = [];
    this.hovered = -1;
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(canvas);
    this.listen();
    this.resize();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const ratio = devicePixelRatio || 1;
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    Object.assign(this, { width, height, ratio });
    if (!this.view) this.fit();
    this.draw();
  }

  // So that all points are seen, with the same scale along both axes.
  fit() {
    const shown = this.star ? [...this.points, this.star] : this.points;
    const [xs, ys] = [shown.map((one) => one.x), shown.map((one) => one.y)];
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const spread = Math.max((right - left) / this.width, (high - low) / this.height) || 0.001;
    this.view = { x: (left + right) / 2, y: (low + high) / 2, scale: (1 - 2 * MARGIN) / spread };
    this.draw();
  }

  toScreen({ x, y }) {
    return [(x - this.view.x) * this.view.scale + this.width / 2, (this.view.y - y) * this.view.scale + this.height / 2];
  }

  move(dx, dy) {
    this.view.x -= dx / this.view.scale;
    this.view.y += dy / this.view.scale;
    this.draw();
  }

  // By the factor, around the place on the screen, which stays where it is.
  zoom(factor, [px, py] = [this.width / 2, this.height / 2]) {
    const scale = Math.min(Math.max(this.view.scale * factor, 1), 1e7);
    const shift = 1 / this.view.scale - 1 / scale;
    this.view.x += (px - this.width / 2) * shift;
    this.view.y -= (py - this.height / 2) * shift;
    this.view.scale = scale;
    this.draw();
  }

  inView() {
    return this.indices(([x, y]) => x >= 0 && y >= 0 && x <= this.width && y <= this.height);
  }

  indices(holds) {
    return this.points.flatMap((point, at) => (holds(this.toScreen(point)) ? [at] : []));
  }

  choose(indices) {
    this.chosen = new Set(indices);
    this.draw();
  }

  nearest(px, py) {
    let [best, distance] = [-1, NEAR];
    this.points.forEach((point, at) => {
      const [x, y] = this.toScreen(point);
      const found = Math.hypot(x - px, y - py);
      if (found < distance) [best, distance] = [at, found];
    });
    return best;
  }

  // At the next frame, once, however often it is asked for.
  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.paint();
    });
  }

  paint() {
    if (!this.view || !this.width) return;
    const { context, ratio, width, height } = this;
    const colours = this.colours();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.paintPoints(colours);
    if (this.star) this.paintStar(colours);
    if (this.hovered >= 0) this.ring(this.points[this.hovered], 7, colours.text);
    if (this.trail.length > 1) this.paintTrail(colours);
  }

  paintPoints(colours) {
    const { context } = this;
    const paths = new Map();
    const size = Math.min(SIZE * Math.sqrt(2_000 / Math.max(this.points.length, 500)) + 0.6, 5);
    this.points.forEach((point, at) => {
      const [x, y] = this.toScreen(point);
      if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) return;
      const isFaded = this.chosen.size > 0 && !this.chosen.has(at);
      const key = `${isFaded ? 0 : 1} ${point.group}`;
      if (!paths.has(key)) paths.set(key, new Path2D());
      const path = paths.get(key);
      path.moveTo(x + size, y);
      path.arc(x, y, size, 0, 2 * Math.PI);
    });
    // What is faded lies below what is chosen.
    for (const [key, path] of [...paths].sort()) {
      const [isWhole, group] = key.split(" ");
      context.globalAlpha = isWhole === "1" ? 0.85 : 0.15;
      context.fillStyle = colours.groups[group];
      context.fill(path);
    }
    context.globalAlpha = 1;
  }

  paintStar(colours) {
    const { context } = this;
    const [x, y] = this.toScreen(this.star);
    context.strokeStyle = colours.line;
    context.beginPath();
    for (const at of this.rays) {
      context.moveTo(x, y);
      context.lineTo(...this.toScreen(this.points[at]));
    }
    context.stroke();
    for (const at of this.rays) this.ring(this.points[at], 5, colours.star);
    const star = starPath(x, y, 12);
    context.fillStyle = colours.star;
    context.fill(star);
    context.strokeStyle = colours.surface;
    context.lineWidth = 1.5;
    context.stroke(star);
    context.lineWidth = 1;
  }

  ring(point, radius, colour) {
    this.context.strokeStyle = colour;
    this.context.lineWidth = 1.5;
    this.context.beginPath();
    this.context.arc(...this.toScreen(point), radius, 0, 2 * Math.PI);
    this.context.stroke();
    this.context.lineWidth = 1;
  }

  paintTrail(colours) {
    this.context.strokeStyle = colours.star;
    this.context.setLineDash([5, 4]);
    this.context.stroke(new Path2D(`M${this.trail.map((place) => place.join(" ")).join("L")}Z`));
    this.context.setLineDash([]);
  }

  listen() {
    const on = (name, listener, options) => this.canvas.addEventListener(name, listener, options);
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.drag(event));
    on("pointerup", (event) => this.release(event));
    on("pointercancel", () => this.letGo());
    on("pointerleave", () => this.hover(-1));
    on("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), [event.offsetX, event.offsetY]);
    }, { passive: false });
    on("keydown", (event) => this.key(event));
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.held = [event.offsetX, event.offsetY];
    this.moved = false;
    this.trail = this.lassoing ? [this.held] : [];
  }

  drag(event) {
    const place = [event.offsetX, event.offsetY];
    if (!this.held) return this.hover(this.nearest(...place), place);
    const [dx, dy] = [place[0] - this.held[0], place[1] - this.held[1]];
    if (!this.moved && Math.hypot(dx, dy) < 4) return;
    this.moved = true;
    this.hover(-1);
    if (this.lassoing) {
      this.trail.push(place);
      this.draw();
    } else {
      this.held = place;
      this.move(dx, dy);
    }
  }

  release(event) {
    const { moved, trail } = this;
    this.letGo();
    if (moved && trail.length > 2) {
      const found = this.indices((place) => isInside(place, trail));
      this.choose(found);
      this.onlasso(found);
    } else if (!moved) {
      const at = this.nearest(event.offsetX, event.offsetY);
      if (at >= 0) this.onopen(at);
    }
  }

  letGo() {
    Object.assign(this, { held: null, moved: false, trail: [] });
    this.draw();
  }

  hover(at, place) {
    if (at !== this.hovered) this.draw();
    this.hovered = at;
    this.onhover(at, place);
  }

  key(event) {
    const steps = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (steps[event.key]) this.move(...steps[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1.3);
    else if (event.key === "-") this.zoom(1 / 1.3);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }
}
