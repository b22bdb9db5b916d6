// The studio. Recorded pictures, and a model that draws the reader's own caption once it is asked to.
import { paintPixels } from "./js/canvas.js";
import { captionText, encodeCaption, nearestCaption, objectText, parseCaption } from "./js/captions.js";
import { megabytes, progressText } from "./js/download.js";
import { fromVelocity } from "./js/flow.js";
import { loadModels, loadShapes } from "./js/onnx.js";
import { linearPath } from "./js/paths.js";
import { pageNoise } from "./js/random.js";
import { eulerStep, evenTimes } from "./js/samplers.js";
import { canRun } from "./js/site.js";

const { facts, captions, films, sentences, seed, guidance_scale: guidanceScale, model, decoder } = fig.data;
const [side, latentSide, channels] = [facts.side, 8, 4];
const FIRST_LOAD = "8.1 MB"; // the runtime, the two models and the parser, packed; the site's tests hold it

let own = null; // {text, seed, frames, maps, sentence, step} of the reader's picture
let note = "";
let ticket = 0;

let loading = null;
let loaded = 0; // bytes
const load = () => (loading ??= (async () => {
  const { makeReader, scoreCaption } = await loadShapes();
  const { ort, sessions: [network, painter] } = await loadModels([model, decoder], (received, total) => {
    loaded = received;
    bar.hidden = false;
    if (total) bar.value = received / total;
    note = progressText(received, total);
    refresh();
  });
  status.textContent = `The model is here and runs on your machine; ${megabytes(loaded)} MB were loaded. Choose words, and it paints.`;
  ready = true;
  return { ort, network, painter, scoreCaption, read: makeReader(facts) };
})().finally(() => { bar.hidden = true; }));
let ready = false;

const describeScore = (scoreCaption, caption, found) => {
  if (!found.length) return "the parser finds nothing.";
  const error = scoreCaption(caption, found);
  return `the parser reads ${found.map(objectText).join(", ")}: ${error ? `wrong ${error}.` : "exactly as asked."}`;
};

// The caption that stands in the field, or null where it is none.
const understood = () => {
  try { return parseCaption(facts, field.value); } catch { return null; }
};

// Sample from noise to a picture with Euler's method, and show each prediction x0_hat.
const paintCaption = async (caption, { chosenSeed, steps, guidance }) => {
  player.take();
  ticket += 1;
  const mine = ticket;
  const text = captionText(caption);
  delete root.dataset.failed;
  try {
    if (!ready) { note = "Loading the model …"; refresh(); }
    const { ort, network, painter, scoreCaption, read } = await load();
    if (mine !== ticket) return;
    const start = performance.now();
    const shape = [1, channels, latentSide, latentSide];
    let x = pageNoise(chosenSeed, channels * latentSide ** 2);
    const tokens = new ort.Tensor("int64", BigInt64Array.from(encodeCaption(facts, caption), BigInt), [1, facts.max_length]);
    const picture = { text, seed: chosenSeed, steps, frames: [], maps: [], words: text.split(" ") };
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
      own = picture;
      own.frames.push(Float32Array.from(images.data));
      own.maps.push(Float32Array.from(maps.data));
      own.step = k + 1;
      note = `Painting “${text}”: step ${k + 1} of ${steps}.`;
      refresh();
      await new Promise((next) => setTimeout(next)); // let the page paint
    }
    own.seconds = (performance.now() - start) / 1000;
    own.sentence = describeScore(scoreCaption, caption, read(own.frames.at(-1)));
    note = "";
    root.dataset.ran = JSON.stringify({ text, seed: chosenSeed, steps, guidance_scale: guidance, image: [...own.frames.at(-1)], latents: [...x], seconds: own.seconds, sentence: own.sentence });
  } catch (error) {
    loading = null;
    root.dataset.failed = String(error);
    if (mine !== ticket) return;
    [own, note] = [null, "The model could not be loaded here. The recorded pictures still work: move the sliders."];
  }
  refresh();
};

// --- what the reader works with -----------------------------------------------------------------
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const button = (label, act) => {
  const element = make("button", { type: "button", class: "pan-fig-play" }, label);
  element.addEventListener("click", act);
  return element;
};
const form = make("form", { class: "pan-studio" });
const field = make("input", { type: "text", autocomplete: "off", spellcheck: "false", maxlength: "120", value: captions[0] });
const choose = (label, values) => make("select", { "aria-label": label }, ...values.map((value) => make("option", { value }, value || "nothing else")));
const number = (label, value, min, max, step) => {
  const input = make("input", { type: "number", value, min, max, step, required: "" });
  return [make("label", {}, `${label} `, input), input];
};

const picks = ["first", "second"].map((which) => [
  choose(`size of the ${which}`, facts.sizes),
  choose(`colour of the ${which}`, facts.colours),
  choose(`shape of the ${which}`, facts.shapes),
]);
for (const [size] of picks) size.value = "large";
const relation = choose("relation", ["", ...facts.relations]);
const [seedLabel, seedField] = number("Seed", seed, 0, 4294967295, 1);
const [stepsLabel, stepsField] = number("Steps", fig.data.steps, 1, 50, 1);
const [scaleLabel, scaleField] = number("Guidance", guidanceScale, 0, 10, "any");
const near = make("p", { class: "pan-studio-near", role: "status", hidden: "" });
const bar = make("progress", { "aria-label": "Loading the model", max: 1, value: 0, hidden: "" });
const status = make("p", { class: "pan-studio-status" }, `The first picture loads the model, ${FIRST_LOAD}, once; it runs on your machine.`);
const back = button("Back to the recorded pictures", () => {
  ticket += 1;
  [own, note] = [null, ""];
  setText(captions[fig.places()[0]]);
  refresh();
  controls[0].focus();
});

// The choices say what the field says; where that is no caption, they say nothing.
const setChoices = (caption) => {
  picks.forEach((selects, i) => {
    const object = caption?.objects[i];
    selects.forEach((select, k) => {
      const wanted = object ? [object.size, object.colour, object.shape][k] : null;
      if (wanted) select.value = wanted;
      else if (!caption) select.selectedIndex = -1;
      else if (select.selectedIndex < 0) select.selectedIndex = 0;
      select.disabled = i === 1 && !!caption && !object;
    });
  });
  if (caption) relation.value = caption.relation ?? "";
  else relation.selectedIndex = -1;
};
const setText = (text) => {
  field.value = text;
  heed();
};
const heed = () => {
  const caption = understood();
  setChoices(caption);
  if (caption) { field.removeAttribute("aria-invalid"); near.hidden = true; }
  return caption;
};

// A choice changes the caption; two objects must differ in colour or shape.
const toText = () => {
  const fallback = parseCaption(facts, nearestCaption(facts, field.value) ?? captions[0]);
  const read = (i) => Object.fromEntries(["size", "colour", "shape"].map((kind, k) => [kind, picks[i][k].value || (fallback.objects[i] ?? fallback.objects[0])[kind]]));
  const text = relation.value ? captionText({ objects: [read(0), read(1)], relation: relation.value }) : objectText(read(0));
  setText(nearestCaption(facts, text));
  if (ready) ask();
};

const ask = () => {
  const caption = heed();
  if (!form.reportValidity()) return;
  if (caption) {
    paintCaption(caption, { chosenSeed: +seedField.value, steps: +stepsField.value, guidance: +scaleField.value });
    return;
  }
  ticket += 1;
  note = "";
  field.setAttribute("aria-invalid", "true");
  const nearest = nearestCaption(facts, field.value);
  near.hidden = false;
  near.replaceChildren(...(nearest
    ? ["Did you mean ", button(nearest, () => { setText(nearest); ask(); field.focus(); }), "?"]
    : ["The model knows sizes, colours and shapes. Try ", button(captions[0], () => { setText(captions[0]); ask(); field.focus(); }), "."]));
  refresh();
};

if (canRun) {
  const another = button("Another seed", () => {
    seedField.value = (+seedField.value + 1) % 2 ** 32;
    ask();
  });
  form.append(
    make("label", { class: "pan-studio-caption" }, "Caption ", field),
    near,
    make("div", { class: "pan-studio-choices" }, make("p", {}, "or choose:"), make("span", {}, "a"), ...picks[0], relation, make("span", {}, "a"), ...picks[1]),
    make("div", { class: "pan-studio-row" }, seedLabel, stepsLabel, scaleLabel),
    make("div", { class: "pan-studio-row" }, make("button", { type: "submit", class: "pan-fig-play" }, "Paint it"), another),
    bar, status,
  );
  for (const select of [...picks.flat(), relation]) select.addEventListener("change", toText);
  field.addEventListener("input", heed);
  form.addEventListener("focusin", player.take); // a film that plays waits for whoever writes
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  stage.after(form);
  heed();
}
fig.moved(() => {
  ticket += 1;
  [own, note] = [null, ""];
  if (canRun) setText(captions[fig.places()[0]]);
});

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
// The prediction after one step, small; a press shows it large.
const frameOf = (k) => {
  const frame = make("button", { type: "button" }, canvasOf(`the prediction after step ${k + 1}`));
  frame.addEventListener("click", () => {
    if (!own) fig.set({ step: k + 1 });
    else if (own.sentence) { own.step = k + 1; refresh(); }
  });
  return frame;
};
const sliders = root.querySelector(".pan-fig-controls");

fig.show((width) => {
  const large = canvasOf(page.alt);
  large.style.width = large.style.height = `${Math.min(320, width)}px`;
  const origin = make("p", { class: "pan-studio-origin" });
  const strip = make("div", { class: "pan-studio-strip" });
  const looks = make("div", { class: "pan-studio-maps" });
  stage.replaceChildren(origin, make("div", { class: "pan-studio-picture" }, large), strip, looks);
  return ({ caption, step }) => {
    const row = captions.indexOf(caption);
    const [count, shown] = own ? [own.frames.length, own.step] : [fig.data.steps, step];
    sliders.hidden = !!own; // they move what is recorded
    origin.replaceChildren(make("strong", {}, own ? "Your picture" : "Recorded"), ` “${own ? own.text : caption}”`, ...(own && own.sentence ? [" ", back] : []));
    const lines = Math.ceil(count / Math.max(1, Math.floor((width + 3) / 47))); // of about as many frames
    strip.style.maxWidth = `${47 * Math.ceil(count / lines)}px`;
    while (strip.childElementCount > count) strip.lastChild.remove();
    while (strip.childElementCount < count) strip.append(frameOf(strip.childElementCount));
    [...strip.children].forEach((frame, k) => {
      frame.classList.toggle("pan-studio-now", k + 1 === shown);
      if (own) paintPixels(frame.firstChild, own.frames[k]); else cut(frame.firstChild, pictures[row], k);
    });
    if (own) paintPixels(large, own.frames[shown - 1]); else cut(large, pictures[row], step - 1);
    const done = own && own.sentence;
    looks.replaceChildren(...(done ? attentionMaps(own).map(([word, map]) => lookAt(word, map)) : []));
    const text = own ? `“${own.text}”, seed ${own.seed}, after ${own.steps} steps (${fig.number(own.seconds || 0, 1)} s): ${own.sentence}` : `“${caption}”, after step ${step} of ${fig.data.steps}: ${sentences[row][step - 1]}`;
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
