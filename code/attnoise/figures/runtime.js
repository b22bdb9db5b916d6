// What every moving figure shares on a page: its controls, its sentence, its svg, its play button.
// The figure's own script follows in the same block and calls fig.show once.
import { controlOf } from "./js/controls.js";
import { gripsOn } from "./js/grips.js";

const root = document.currentScript.closest(".pan-fig");
const stage = root.querySelector(".pan-fig-stage");
const words = root.querySelector("output");
const controls = [...root.querySelectorAll(".pan-fig-control")].map(controlOf);
const page = JSON.parse(root.querySelector("script.pan-fig-data").textContent);
const grips = gripsOn(stage);
let paint = () => ({ sentence: words.textContent, numbers: {} });

const fig = {
  data: page.data,

  // The value of every control by its name.
  values() {
    return Object.fromEntries(page.controls.map((control, i) => [control.name, control.values[controls[i].place()]]));
  },

  places: () => controls.map((control) => control.place()),

  // Move controls to the nearest of their values, as if the reader had moved them.
  set(wanted) {
    page.controls.forEach(({ name, values }, i) => {
      if (!(name in wanted)) return;
      const apart = (value) => (typeof value === "number" ? Math.abs(value - wanted[name]) : +(value !== wanted[name]));
      const far = values.map(apart);
      controls[i].move(far.indexOf(Math.min(...far)));
    });
    player.take();
    refresh();
  },

  // Move one control by so many of its values, and no farther than they go.
  step(name, by) {
    const control = controls[page.controls.findIndex((each) => each.name === name)];
    control.move(Math.max(0, Math.min(control.last, control.place() + by)));
    player.take();
    refresh();
  },

  // Call act whenever the reader moves a control.
  moved: (act) => controls.forEach(({ box }) => box.addEventListener("input", act)),

  // layout(width) builds the picture for a width in pixels and returns paint(values), which
  // brings it up to date and returns {sentence, numbers}. It is built again when the width changes.
  // beside: where there is room, the controls stand beside the picture, not below it.
  show(layout, { beside = false } = {}) {
    let width = 0;
    const fit = () => {
      root.classList.toggle("pan-fig-beside", beside && root.clientWidth >= 680);
      const room = Math.max(260, Math.min(800, Math.floor(stage.getBoundingClientRect().width) || 260));
      if (room === width) return;
      width = room;
      paint = layout(width);
      refresh();
    };
    fit();
    controls.forEach(({ box, wake }) => {
      wake();
      box.addEventListener("input", () => { player.take(); refresh(); });
      box.addEventListener("pointerdown", player.take);
      box.addEventListener("keydown", (event) => { if (event.key !== "Tab") player.take(); });
    });
    root.querySelector(".pan-fig-controls").addEventListener("submit", (event) => event.preventDefault());
    new ResizeObserver(() => requestAnimationFrame(fit)).observe(stage);
    player.start();
  },

  // A fresh svg of this many pixels in the place of the still picture.
  svg(width, height) {
    const svg = fig.add(null, "svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": page.alt });
    grips.clear();
    stage.replaceChildren(svg);
    return svg;
  },

  // The svg has another height, in pixels, than was thought at first.
  grow: (svg, height) => fig.put(svg, { height, viewBox: `0 0 ${svg.getAttribute("width")} ${height}` }),

  // A handle over the picture, which a layout puts into its place; see js/grips.js.
  grip: (settings) => grips.add(settings),

  add(parent, tag, attributes = {}, text = null) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    fig.put(element, attributes);
    if (text !== null) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  },

  put(element, attributes) {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  },

  // A number with so many digits after the point, never "-0.00".
  number(value, digits = 2) {
    const text = value.toFixed(digits);
    return +text === 0 ? text.replace("-", "") : text;
  },
};

const refresh = () => {
  const { sentence, numbers } = paint(fig.values());
  words.textContent = sentence;
  root.dataset.numbers = JSON.stringify(numbers);
  controls.forEach((control, i) => control.say(page.controls[i].texts[control.place()]));
};

// The play button: hidden, and the figure still, where the reader asks for less motion.
const player = (() => {
  const settings = page.play;
  const button = root.querySelector(".pan-fig-play");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;
  let taken = false; // once the reader holds the controls, nothing starts by itself
  const stop = () => {
    clearTimeout(timer);
    timer = 0;
    if (button) button.textContent = "Play";
    words.setAttribute("aria-live", "polite");
  };
  const take = () => {
    taken = true;
    if (timer) stop();
  };
  if (!settings || !button) return { take, start() {} };

  const played = controls[page.controls.findIndex((control) => control.name === settings.control)];
  const pause = (1000 * settings.seconds) / played.last;
  const step = () => {
    const last = played.place() === played.last;
    if (last && !settings.loop) return stop();
    if (!document.hidden) {
      played.move(last ? 0 : played.place() + 1);
      refresh();
    }
    timer = setTimeout(step, played.place() === played.last ? pause + 1500 : pause);
  };
  const play = () => {
    if (calm.matches || timer) return;
    button.textContent = "Pause";
    words.setAttribute("aria-live", "off"); // a screen reader reads the sentence when it rests
    if (played.place() === played.last) { played.move(0); refresh(); }
    timer = setTimeout(step, pause);
  };
  const start = () => {
    const agree = () => {
      button.hidden = calm.matches;
      if (calm.matches) stop();
    };
    agree();
    calm.addEventListener("change", agree);
    button.addEventListener("click", () => (timer ? stop() : play()));
    if (!settings.auto) return;
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      if (!taken) play();
    }).observe(stage);
  };
  return { take, start };
})();
