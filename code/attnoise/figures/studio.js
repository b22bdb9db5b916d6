// The studio. Recorded pictures, and a model that draws the reader's own caption once it is asked to.
import { paintPixels } from "./js/canvas.js";
import { fromVelocity } from "./js/flow.js";
import { canRun, loadModels, loadShapes } from "./js/onnx.js";
import { linearPath } from "./js/paths.js";
import { eulerStep, evenTimes } from "./js/samplers.js";

const { facts, captions, films, sentences, seed, guidance_scale: guidanceScale, model, decoder } = fig.data;
const [side, latentSide, channels] = [facts.side, 8, 4];

let own = null; // {caption, frames, sentences, maps, step} of the reader's picture
let note = "";
let ticket = 0;

let loading = null;
const load = () => (loading ??= (async () => {
  const { makeReader } = await loadShapes();
  const { ort, sessions: [network, painter] } = await loadModels(model, decoder);
  return { ort, network, painter, read: makeReader(facts) };
})());

const describeScore = (shapes, caption, found) => {
  if (!found.length) return "the parser finds nothing.";
  const error = shapes.scoreCaption(caption, found);
  return `the parser reads ${found.map(shapes.objectText).join(", ")}: ${error ? `wrong ${error}.` : "exactly as asked."}`;
};

// Sample from noise to a picture with Euler's method, and show each prediction x0_hat.
const paintCaption = async ({ text, chosenSeed, steps, guidance }) => {
  ticket += 1;
  const mine = ticket;
  delete root.dataset.failed;
  let [shapes, caption] = [null, null];
  try {
    shapes = await loadShapes();
    caption = shapes.parseCaption(facts, text);
  } catch (error) {
    if (mine !== ticket) return;
    const bad = shapes && error instanceof shapes.CaptionError;
    note = bad ? `This cannot be painted: ${error.message}` : unavailable(error);
    if (bad) field.setAttribute("aria-invalid", "true");
    own = null;
    refresh();
    return;
  }
  field.removeAttribute("aria-invalid");
  try {
    if (!loading) { note = "Loading the model, once: 19 MB …"; refresh(); }
    const { ort, network, painter, read } = await load();
    if (mine !== ticket) return;
    const start = performance.now();
    const shape = [1, channels, latentSide, latentSide];
    let x = shapes.pageNoise(chosenSeed, channels * latentSide ** 2);
    const tokens = new ort.Tensor("int64", BigInt64Array.from(shapes.encodeCaption(facts, caption), BigInt), [1, facts.max_length]);
    own = { text, frames: [], sentences: [], maps: [], steps, words: shapes.captionText(caption).split(" ") };
    const times = evenTimes(1, steps);
    for (let k = 0; k < steps; k += 1) {
      const [t, s] = [times[k], times[k + 1]];
      const { velocity, maps } = await network.run({
        latents: new ort.Tensor("float32", x, shape),
        time: new ort.Tensor("float32", [t], [1]),
        tokens,
        scale: new ort.Tensor("float32", [guidance], [1]),
      });
      const x0_hat = fromVelocity(x, velocity.data, t);
      x = eulerStep(x, x0_hat, linearPath.levels(t), linearPath.levels(s), "flow");
      const { images } = await painter.run({ latents: new ort.Tensor("float32", x0_hat, shape) });
      if (mine !== ticket) return;
      own.frames.push(Float32Array.from(images.data));
      own.maps.push(Float32Array.from(maps.data));
      note = `Painting “${text}”: step ${k + 1} of ${steps}.`;
      own.shown = k + 1;
      refresh();
      await new Promise((next) => setTimeout(next)); // let the page paint
    }
    own.seconds = (performance.now() - start) / 1000;
    own.sentence = describeScore(shapes, caption, read(own.frames.at(-1)));
    note = "";
    root.dataset.ran = JSON.stringify({ text, seed: chosenSeed, steps, guidance_scale: guidance, image: [...own.frames.at(-1)], latents: [...x], seconds: own.seconds, sentence: own.sentence });
  } catch (error) {
    if (mine !== ticket) return;
    [loading, own, note] = [null, null, unavailable(error)];
  }
  refresh();
};
const unavailable = (error) => {
  root.dataset.failed = String(error);
  return "The model could not be loaded here. The recorded pictures still work: move the sliders.";
};

// --- what the reader works with -----------------------------------------------------------------
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const form = make("form", { class: "pan-studio" });
const field = make("input", { type: "text", autocomplete: "off", spellcheck: "false", maxlength: "120", value: captions[0] });
const choose = (label, values, start) => {
  const select = make("select", { "aria-label": label }, ...values.map((value) => make("option", { value }, value || "nothing else")));
  select.value = start;
  return select;
};
const number = (label, value, min, max, step) => {
  const input = make("input", { type: "number", value, min, max, step, required: "" });
  return [make("label", {}, `${label} `, input), input];
};

const picks = ["first", "second"].map((which) => [
  choose(`size of the ${which}`, facts.sizes, "large"),
  choose(`colour of the ${which}`, facts.colours, "red"),
  choose(`shape of the ${which}`, facts.shapes, "circle"),
]);
const relation = choose("relation", ["", ...facts.relations], "");
const [seedLabel, seedField] = number("Seed", seed, 0, 4294967295, 1);
const [stepsLabel, stepsField] = number("Steps", fig.data.steps, 1, 50, 1);
const [scaleLabel, scaleField] = number("Guidance", guidanceScale, 0, 10, "any");
const toText = () => {
  const objects = picks.map((parts) => `a ${parts.map((select) => select.value).join(" ")}`);
  picks[1].forEach((select) => { select.disabled = !relation.value; });
  field.value = relation.value ? `${objects[0]} ${relation.value} ${objects[1]}` : objects[0];
};
const ask = () => paintCaption({
  text: field.value,
  chosenSeed: +seedField.value,
  steps: +stepsField.value,
  guidance: +scaleField.value,
});

if (canRun) {
  const second = make("button", { type: "button", class: "pan-fig-play" }, "Another seed");
  const words = make("p", {}, "or choose: a ", ...picks[0].flatMap((select) => [select, " "]), relation, " a ", ...picks[1].flatMap((select) => [select, " "]));
  form.append(
    make("label", { class: "pan-studio-caption" }, "Caption ", field),
    words,
    make("div", { class: "pan-studio-row" }, seedLabel, stepsLabel, scaleLabel, make("button", { type: "submit", class: "pan-fig-play" }, "Paint it"), second),
  );
  for (const select of [...picks.flat(), relation]) select.addEventListener("change", toText);
  picks[1].forEach((select) => { select.disabled = true; });
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  second.addEventListener("click", () => {
    seedField.value = (+seedField.value + 1) % 2 ** 32;
    if (form.reportValidity()) ask();
  });
  stage.before(form);
}
inputs.forEach((input) => input.addEventListener("input", () => { ticket += 1; [own, note] = [null, ""]; }));

// --- the picture ----------------------------------------------------------------------------------
const pictures = films.map((address) => {
  const image = new Image();
  image.src = address;
  image.decode().then(() => refresh(), () => {});
  return image;
});
const canvasOf = (label) => make("canvas", { width: side, height: side, role: "img", "aria-label": label });
const cut = (canvas, image, step) => {
  const context = canvas.getContext("2d");
  if (image.complete && image.naturalWidth) context.drawImage(image, step * side, 0, side, side, 0, 0, side, side);
};
// Where each word was looked at: "a" and relations too. The mean over blocks, heads and steps.
const attentionMaps = ({ words, maps }) => {
  const n = maps[0].length / facts.max_length;
  return words.map((word, m) => [word, Array.from({ length: n }, (_, p) => maps.reduce((sum, map) => sum + map[m * n + p], 0) / maps.length)]);
};

fig.show((width) => {
  const large = canvasOf(page.alt);
  large.style.width = large.style.height = `${Math.min(320, width)}px`;
  const strip = make("div", { class: "pan-studio-strip" });
  const looks = make("div", { class: "pan-studio-maps" });
  stage.replaceChildren(make("div", { class: "pan-studio-picture" }, large), strip, looks);
  return ({ caption, step }) => {
    const row = captions.indexOf(caption);
    const [count, shown] = own ? [own.frames.length, own.shown] : [fig.data.steps, step];
    if (strip.childElementCount !== count) strip.replaceChildren(...Array.from({ length: count }, (_, k) => canvasOf(`the prediction after step ${k + 1}`)));
    [...strip.children].forEach((small, k) => {
      small.classList.toggle("pan-studio-now", k + 1 === shown);
      if (own) paintPixels(small, own.frames[k]); else cut(small, pictures[row], k);
    });
    if (own && count) paintPixels(large, own.frames[shown - 1]);
    else if (!own) cut(large, pictures[row], step - 1);
    const done = own && own.sentence;
    looks.replaceChildren(...(done ? attentionMaps(own).map(([word, map]) => lookAt(word, map)) : []));
    const text = own ? `“${own.text}”, seed ${seedField.value}, after ${own.steps} steps (${fig.number(own.seconds || 0, 1)} s): ${own.sentence}` : `“${caption}”, after step ${step} of ${fig.data.steps}: ${sentences[row][step - 1]}`;
    return { sentence: note || text, numbers: {} };
  };
});

// One word, and on its map the places of the picture that looked at it.
function lookAt(word, map) {
  const cells = Math.sqrt(map.length);
  const top = Math.max(...map);
  const svg = fig.add(null, "svg", { width: 44, height: 44, viewBox: `0 0 ${cells} ${cells}`, role: "img", "aria-label": `where “${word}” was looked at` });
  map.forEach((v, k) => fig.add(svg, "rect", { x: k % cells, y: Math.floor(k / cells), width: 1, height: 1, fill: "var(--fig-value)", opacity: (v / top).toFixed(3) }));
  return make("figure", {}, svg, make("figcaption", {}, word));
}
