// Draw points, and noise flows into them.
import { idealDenoiser } from "./js/denoisers.js";
import { toVelocity } from "./js/flow.js";
import { atTime } from "./js/interpolation.js";
import { legend } from "./js/legend.js";
import { linearPath } from "./js/paths.js";
import { nearest, distance } from "./js/points.js";
import { eulerSample, evenTimes, heunSample } from "./js/samplers.js";

const SAMPLERS = { Euler: eulerSample, Heun: heunSample };
const { noise, reach } = fig.data;
const most = 90; // points that a drawing may have
let drawn = []; // the reader's points; while there are none, the figure's own stand there
const pen = { x: 0, y: 0, down: false }; // the keyboard's pen
const data = () => (drawn.length ? drawn : fig.data.points);

const find = (denoiser, points, { t, steps, solver }) => {
  const options = { timesteps: evenTimes(1, steps), parametrisation: "flow" };
  const x = noise.map((start) => atTime(SAMPLERS[solver](denoiser, start, linearPath, options), start, 1, t));
  const gaps = x.map((place) => distance(place, points[nearest(place, points)]));
  return { x, gap: gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length, calls: solver === "Heun" ? 2 * steps - 1 : steps };
};

const describe = (found, { t, steps, solver }) => `${solver}, ${steps} ${steps === 1 ? "step" : "steps"}, ${found.calls} calls of the denoiser. At t = ${fig.number(t)} the particles are ${fig.number(found.gap, 3)} from the nearest drawn point, on average.`;

const addPoint = (x, y, gap = 0.14) => {
  const last = drawn[drawn.length - 1];
  if (drawn.length >= most || (last && Math.hypot(last[0] - x, last[1] - y) < gap)) return;
  drawn.push([x, y]);
};
const clear = () => {
  [drawn, pen.down] = [[], false];
  refresh();
};
const button = document.createElement("button");
Object.assign(button, { type: "button", className: "pan-fig-play", textContent: "Clear my drawing" });
button.addEventListener("click", clear);
root.querySelector(".pan-fig-controls").append(button);

// The place to draw lies over the svg: a mouse, a pen, a finger, or the keyboard.
const addPad = (side, left, top) => {
  stage.style.position = "relative";
  const pad = document.createElement("div");
  pad.setAttribute("role", "application");
  pad.setAttribute("aria-label", "Place to draw points. Arrow keys move the pen, space lowers and lifts it, Escape clears.");
  pad.className = "pan-fig-pad";
  pad.tabIndex = 0;
  pad.style.cssText = `position: absolute; left: ${left}px; top: ${top}px; width: ${side}px; height: ${side}px; touch-action: none; cursor: crosshair`;
  const place = (event) => {
    const room = pad.getBoundingClientRect();
    const inside = (v) => Math.min(reach, Math.max(-reach, v));
    return [inside(((event.clientX - room.left) / side) * 2 * reach - reach), inside(reach - ((event.clientY - room.top) / side) * 2 * reach)];
  };
  pad.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pad.setPointerCapture(event.pointerId);
    player.take();
    addPoint(...place(event), 0);
    refresh();
  });
  pad.addEventListener("pointermove", (event) => {
    if (!pad.hasPointerCapture(event.pointerId)) return;
    addPoint(...place(event));
    refresh();
  });
  pad.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step && event.key !== " " && event.key !== "Escape") return;
    event.preventDefault();
    player.take();
    if (event.key === "Escape") return void clear();
    if (step) [pen.x, pen.y] = [pen.x + 0.15 * step[0], pen.y + 0.15 * step[1]].map((v) => Math.min(reach, Math.max(-reach, v)));
    else pen.down = !pen.down;
    if (pen.down) addPoint(pen.x, pen.y);
    refresh();
  });
  stage.append(pad);
};

const NAMES = [
  ["data", "M-4 -4h8v8h-8z", "drawn points"],
  ["prediction", "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "particles"],
  ["noise", "M-8 -0.7h12v-3l5 3.7l-5 3.7v-3h-12z", "velocity"],
];
const GRID = Array.from({ length: 81 }, (_, i) => [-2.2 + 0.55 * Math.floor(i / 9), -2.2 + 0.55 * (i % 9)]);

fig.show((width) => {
  const side = Math.min(width, 510);
  const left = (width - side) / 2;
  const svg = fig.svg(width, width);
  const top = legend(fig, svg, NAMES, side, left) + 8;
  fig.grow(svg, top + side);
  const scale = side / 2 / reach;
  const place = ([x, y]) => [left + side / 2 + x * scale, top + side / 2 - y * scale];
  fig.add(svg, "rect", { x: left + 0.5, y: top + 0.5, width: side - 1, height: side - 1, fill: "none", stroke: "var(--fig-rule)" });
  const arrows = fig.add(svg, "path", { stroke: "var(--fig-noise)", fill: "none", opacity: 0.55 });
  const squares = fig.add(svg, "path", { fill: "var(--fig-data)" });
  const dots = noise.map(() => fig.add(svg, "circle", { r: 3.4, fill: "var(--fig-prediction)" }));
  const cursor = fig.add(svg, "path", { d: "M-7 0h14M0 -7v14", stroke: "var(--fig-ink)", "stroke-width": 1.5, visibility: "hidden" });
  addPad(side, left, top);
  const arrow = (from, denoiser, t) => {
    const u = toVelocity(from, denoiser(from, t), t).map((part) => -part); // the way particles go
    const long = Math.hypot(...u);
    const to = from.map((part, axis) => part + (0.33 * u[axis]) / (long + 1));
    const [a, b] = [place(from), place(to)];
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const f = (v) => v.toFixed(1);
    return `M${f(a[0])} ${f(a[1])}L${f(b[0])} ${f(b[1])}M${f(b[0] - 0.35 * dx - 0.2 * dy)} ${f(b[1] - 0.35 * dy + 0.2 * dx)}L${f(b[0])} ${f(b[1])}L${f(b[0] - 0.35 * dx + 0.2 * dy)} ${f(b[1] - 0.35 * dy - 0.2 * dx)}`;
  };
  return (values) => {
    const points = data();
    const denoiser = idealDenoiser(points, linearPath);
    const found = find(denoiser, points, values);
    fig.put(arrows, { d: GRID.map((from) => arrow(from, denoiser, Math.max(values.t, 0.05))).join("") });
    fig.put(squares, { d: points.map(place).map(([x, y]) => `M${(x - 3.5).toFixed(1)} ${(y - 3.5).toFixed(1)}h7v7h-7z`).join("") });
    found.x.map(place).forEach(([cx, cy], n) => fig.put(dots[n], { cx, cy }));
    const used = document.activeElement && document.activeElement.classList.contains("pan-fig-pad") && root.contains(document.activeElement);
    fig.put(cursor, { transform: `translate(${place([pen.x, pen.y])})`, visibility: used ? "visible" : "hidden" });
    root.dataset.drawn = JSON.stringify(drawn);
    return { sentence: describe(found, values), numbers: { ...found, x: found.x.flat() } };
  };
}, { beside: true });
