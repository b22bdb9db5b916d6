// Draw a digit; the model on the page reads it.
import { progressText } from "./js/download.js";
import { mnistLike, PEN, SIDE } from "./js/mnist_like.js";
import { loadModels } from "./js/onnx.js";
import { canRun } from "./js/site.js";
import { softmax } from "./js/softmax.js";

const { labels, logits, sources, grid, model } = fig.data;
const recorded = fig.data.images.map((text) => Float32Array.from(atob(text), (c) => c.charCodeAt(0) / 127.5 - 1));

let strokes = []; // lines of [x, y] in pixels of the 28 by 28 image
let answer = null; // what the model predicts for the drawing
let note = "";
let ticket = 0;
const point = { x: SIDE / 2, y: SIDE / 2, down: false }; // the keyboard's pen

const chosen = () => labels.indexOf(fig.values().digit);
const seen = () => (strokes.length ? mnistLike(strokes) : recorded[chosen()]);

let loading = null;
const load = () => (loading ??= loadModels([model], (received, total) => { note = progressText(received, total); refresh(); }));

// Let the model read what is shown; the first time, fetch it.
const run = async () => {
  ticket += 1;
  const mine = ticket;
  const image = seen();
  if (!loading) { note = "Loading the model …"; refresh(); }
  try {
    const { ort, sessions: [session] } = await load();
    const out = await session.run({ images: new ort.Tensor("float32", image, [1, 1, SIDE, SIDE]) });
    if (mine !== ticket) return;
    answer = { logits: [...out.logits.data], sources: [...out.sources.data] };
    note = "";
    root.dataset.ran = JSON.stringify({ ...answer, image: [...image], strokes });
  } catch (error) {
    loading = null; // the next stroke tries again
    answer = null;
    note = "The model could not be loaded here. The recorded digits still work: choose one.";
    root.dataset.failed = String(error);
  }
  refresh();
};

const clear = () => {
  ticket += 1;
  [strokes, answer, note] = [[], null, ""];
  point.down = false;
};
const begin = (x, y) => {
  ticket += 1;
  [answer, note] = [null, "Lift the pen, and the model reads."];
  strokes.push([[x, y]]);
  refresh();
};
const go = (x, y) => {
  const line = strokes[strokes.length - 1];
  const [lastX, lastY] = line[line.length - 1];
  if (Math.hypot(x - lastX, y - lastY) < 0.3) return;
  line.push([x, y]);
  refresh();
};

const addButton = (text, act) => {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "pan-fig-play", textContent: text });
  button.addEventListener("click", act);
  root.querySelector(".pan-fig-controls").append(button);
};
if (canRun) {
  addButton("Run the model", run);
  addButton("Clear", () => { clear(); refresh(); });
}
// A recorded digit takes the drawing's place, and is read anew once the model is here.
fig.moved(() => { clear(); if (loading) run(); });

// The place to draw lies over the svg: a mouse, a pen, a finger, or the keyboard.
const addPad = (x, y, size) => {
  const pad = document.createElement("div");
  pad.setAttribute("role", "application");
  pad.setAttribute("aria-label", "Place to draw. Arrow keys move the pen, space lowers and lifts it, Escape clears.");
  pad.className = "pan-fig-pad";
  pad.tabIndex = 0;
  pad.style.cssText = `position: absolute; left: ${x}px; top: ${y}px; width: ${size}px; height: ${size}px; touch-action: none; cursor: crosshair`;
  const place = (event) => {
    const room = pad.getBoundingClientRect();
    return [event.clientX - room.left, event.clientY - room.top].map((v) => Math.min(SIDE, Math.max(0, (v / size) * SIDE)));
  };
  pad.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pad.setPointerCapture(event.pointerId);
    begin(...place(event));
  });
  pad.addEventListener("pointermove", (event) => { if (pad.hasPointerCapture(event.pointerId)) go(...place(event)); });
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => { if (strokes.length) run(); });
  pad.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step && event.key !== " " && event.key !== "Escape") return;
    event.preventDefault();
    if (step) {
      [point.x, point.y] = [point.x + step[0], point.y + step[1]].map((v) => Math.min(SIDE - 1, Math.max(1, v)));
      if (point.down) go(point.x, point.y);
    } else if (event.key === "Escape") {
      clear();
    } else {
      point.down = !point.down;
      if (point.down) begin(point.x, point.y);
      else run();
    }
    refresh();
  });
  stage.append(pad);
  return pad;
};

const square = (svg, x, y, size, count, colour) => {
  const cell = size / count;
  const look = (k) => ({ x: x + (k % count) * cell, y: y + Math.floor(k / count) * cell, width: cell + 0.3, height: cell + 0.3, fill: colour });
  const cells = Array.from({ length: count * count }, (_, k) => fig.add(svg, "rect", { ...look(k), opacity: 0 }));
  return (weights) => cells.forEach((rect, k) => rect.setAttribute("opacity", weights ? Math.min(1, Math.max(0, weights[k])).toFixed(3) : 0));
};

// A bar for each digit, on an axis from 0 to 1.
const AXIS = 26;
const bars = (svg, x, y, width, height, count) => {
  for (const part of [0, 0.5, 1]) {
    const at = y + height * (1 - part);
    fig.add(svg, "path", { d: `M${x + AXIS} ${at}H${x + width}`, stroke: part ? "var(--fig-rule)" : "var(--fig-edge)" });
    fig.add(svg, "text", { x: x + AXIS - 6, y: at + 4.5, "text-anchor": "end" }, part);
  }
  const wide = (width - AXIS) / count;
  const columns = Array.from({ length: count }, (_, i) => {
    fig.add(svg, "text", { x: x + AXIS + (i + 0.5) * wide, y: y + height + 16, "text-anchor": "middle" }, i);
    return fig.add(svg, "rect", { x: x + AXIS + i * wide + 1.5, width: wide - 3, fill: "var(--fig-prediction)" });
  });
  return (p) => columns.forEach((column, i) => fig.put(column, { y: y + height * (1 - (p ? p[i] : 0)), height: height * (p ? p[i] : 0) }));
};

// Where the four parts lie. Wide: a large pad, beside it the two squares, below these the bars.
const GAP = 24; // and as much for a name
const places = (width) => {
  if (width < 600) {
    const size = Math.min(220, (width - GAP - 2) / 2);
    const left = (width - 2 * size - GAP) / 2;
    const [right, low] = [left + size + GAP, 2 * GAP + size + GAP];
    return { pad: [left, GAP, size], seen: [right, GAP, size], map: [left, low, size], read: [right, low, size, size], height: low + size + 22 };
  }
  const large = Math.round(0.46 * width);
  const small = (width - large - 2 * GAP) / 2;
  const [x, low] = [large + GAP, 2 * GAP + small + 8];
  return { pad: [0, GAP, large], seen: [x, GAP, small], map: [x + small + GAP, GAP, small], read: [x, low, width - x, GAP + large - low - 20], height: GAP + large + 4 };
};

const readOut = (values) => {
  const p = softmax(values);
  const order = p.map((_, i) => i).sort((i, j) => p[j] - p[i] || i - j);
  const describe = (i) => `${i} (${fig.number(100 * p[i], 0)} %)`;
  return `${describe(order[0])}, next ${describe(order[1])}`;
};

fig.show((width) => {
  const at = places(width);
  const svg = fig.svg(width, at.height);
  const [[padX, padY, size], [seenX, seenY, seenSize]] = [at.pad, at.seen];
  for (const [name, [x, y, side]] of [["draw here", at.pad], ["what the model sees", at.seen], ["roll-out", at.map]]) {
    fig.add(svg, "rect", { x: x + 0.5, y: y + 0.5, width: side - 1, height: side - 1, fill: "none", stroke: "var(--fig-edge)" });
    fig.add(svg, "text", { x, y: y - 8 }, name);
  }
  fig.add(svg, "text", { x: at.read[0] + AXIS, y: at.read[1] - 12 }, "probability");
  const hint = fig.add(svg, "text", { x: padX + size / 2, y: padY + size / 2, "text-anchor": "middle" }, canRun ? "" : "on the website");
  const lines = fig.add(svg, "path", { fill: "none", stroke: "var(--fig-ink)", "stroke-width": (2 * PEN * size) / SIDE, "stroke-linecap": "round", "stroke-linejoin": "round" });
  const tip = fig.add(svg, "circle", { r: 4, fill: "none", stroke: "var(--fig-prediction)", "stroke-width": 2 });
  const [image, map] = [square(svg, ...at.seen, SIDE, "var(--fig-ink)"), square(svg, ...at.map, grid, "var(--fig-value)")];
  for (let i = 1; i < grid; i += 1) {
    const step = (i * seenSize) / grid;
    fig.add(svg, "path", { d: `M${seenX + step} ${seenY}v${seenSize}M${seenX} ${seenY + step}h${seenSize}`, stroke: "var(--fig-rule)" });
  }
  const probabilities = bars(svg, ...at.read, logits[0].length);
  const pad = canRun ? addPad(padX, padY, size) : null;
  return ({ digit }) => {
    const row = labels.indexOf(digit);
    const found = strokes.length ? answer : { logits: logits[row], sources: sources[row] };
    const pixels = ([px, py]) => `${(padX + (px * size) / SIDE).toFixed(1)} ${(padY + (py * size) / SIDE).toFixed(1)}`;
    lines.setAttribute("d", strokes.map((line) => `M${pixels(line[0])}L${line.map(pixels).join("L")}`).join(""));
    hint.setAttribute("opacity", strokes.length ? 0 : 1);
    const here = pad && document.activeElement === pad;
    fig.put(tip, { cx: padX + (point.x * size) / SIDE, cy: padY + (point.y * size) / SIDE, opacity: here && pad.matches(":focus-visible") ? 1 : 0 });
    image([...seen()].map((v) => (v + 1) / 2));
    map(found && found.sources.map((weight) => (weight * grid * grid - 0.5) / 1.5));
    probabilities(found && softmax(found.logits));
    const text = found && (strokes.length ? `Your drawing: the model reads ${readOut(found.logits)}.` : `Test digit ${digit}: the model reads ${readOut(found.logits)}.`);
    return { sentence: note || text || "", numbers: strokes.length || !found ? {} : found };
  };
});
