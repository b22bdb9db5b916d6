// Move between four latents; the decoder is the shipped one.
import { paintPixels } from "./js/canvas.js";
import { progressText } from "./js/download.js";
import { between } from "./js/interpolation.js";
import { loadModels, loadShapes } from "./js/onnx.js";
import { canRun } from "./js/site.js";

const { facts, corners, shape, film, side, sentences, decoder } = fig.data;
const pixels = facts.side;

let running = null; // the loaded decoder
let decoded = null; // {u, v, image, words} of the last place that was painted
let note = "";
let ticket = 0;

const readOut = (shapes, found) => (found.length ? `the parser reads ${found.map(shapes.objectText).join(", ")}` : "the parser finds nothing");

const load = async () => {
  const shapes = await loadShapes();
  const { ort, sessions: [session] } = await loadModels([decoder], (received, total) => { note = progressText(received, total); refresh(); });
  return { ort, session, shapes, read: shapes.makeReader(facts) };
};

// Paint the place where the mark is, if the decoder is here; a later place overtakes an earlier one.
const decode = async () => {
  if (!running) return;
  ticket += 1;
  const [mine, { u, v }] = [ticket, fig.values()];
  const { ort, session, shapes, read } = running;
  const { images } = await session.run({ latents: new ort.Tensor("float32", Float32Array.from(between(corners, u, v)), [1, ...shape]) });
  if (mine !== ticket) return;
  const image = Float32Array.from(images.data);
  decoded = { u, v, image, words: readOut(shapes, read(image)) };
  root.dataset.ran = JSON.stringify({ u, v, image: [...image], words: decoded.words });
  refresh();
};
const start = async () => {
  if (running) return;
  note = "Loading the decoder …";
  refresh();
  try {
    running = await load();
    note = "";
    button.hidden = true;
    await decode();
  } catch (error) {
    [running, note] = [null, "The decoder could not be loaded here. The recorded pictures still work: move the sliders."];
    root.dataset.failed = String(error);
  }
  refresh();
};

const button = document.createElement("button");
Object.assign(button, { type: "button", className: "pan-fig-play", textContent: "Run the decoder" });
button.addEventListener("click", start);
if (canRun) root.querySelector(".pan-fig-controls").append(button);
fig.moved(decode);

const sheet = new Image(); // the recorded pictures, side by side
sheet.src = film;
sheet.decode().then(() => refresh(), () => {});

const make = (width, height, label) => {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  canvas.style.cssText = "display: block; image-rendering: pixelated";
  return canvas;
};

fig.show((width) => {
  const size = width < 520 ? Math.min(340, width) : (width - 20) / 2;
  const grid = make(side * pixels, side * pixels, page.alt);
  const large = make(pixels, pixels, "the picture at the mark");
  for (const canvas of [grid, large]) canvas.style.width = canvas.style.height = `${size}px`;
  const mark = document.createElement("span");
  mark.style.cssText = "position: absolute; width: 22px; height: 22px; margin: -11px; border: 3px solid var(--fig-prediction); border-radius: 50%; cursor: grab; touch-action: none";
  const map = document.createElement("div");
  map.style.cssText = `position: relative; width: ${size}px; height: ${size}px; touch-action: none; cursor: crosshair`;
  map.append(grid, mark);
  const row = document.createElement("div");
  row.style.cssText = "display: flex; flex-wrap: wrap; gap: 20px; justify-content: center";
  row.append(map, large);
  stage.replaceChildren(row);
  const edge = size / side / 2; // corners are the middles of the outer pictures
  const follow = (event) => {
    const box = map.getBoundingClientRect();
    const fraction = (at) => Math.min(1, Math.max(0, (at - edge) / (size - 2 * edge)));
    fig.set({ u: fraction(event.clientX - box.left), v: fraction(event.clientY - box.top) });
    decode();
  };
  map.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    map.setPointerCapture(event.pointerId);
    follow(event);
  });
  map.addEventListener("pointermove", (event) => { if (map.hasPointerCapture(event.pointerId)) follow(event); });
  return ({ u, v }) => {
    mark.style.left = `${edge + u * (size - 2 * edge)}px`;
    mark.style.top = `${edge + v * (size - 2 * edge)}px`;
    const here = Math.floor(v * (side - 1) + 0.5) * side + Math.floor(u * (side - 1) + 0.5);
    if (sheet.complete && sheet.naturalWidth) {
      for (let k = 0; k < side * side; k += 1) {
        grid.getContext("2d").drawImage(sheet, k * pixels, 0, pixels, pixels, (k % side) * pixels, Math.floor(k / side) * pixels, pixels, pixels);
      }
      if (!decoded) large.getContext("2d").drawImage(sheet, here * pixels, 0, pixels, pixels, 0, 0, pixels, pixels);
    }
    if (decoded) paintPixels(large, decoded.image);
    const fresh = decoded && decoded.u === u && decoded.v === v;
    const place = `At (${fig.number(u)}, ${fig.number(v)})`;
    const sentence = note || (decoded ? `${place}: ${fresh ? decoded.words : "painting"}.` : `${place}, nearest recorded: ${sentences[here]}.`);
    return { sentence, numbers: { latent: between(corners, u, v).slice(0, 8) } };
  };
});
