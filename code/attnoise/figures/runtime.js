// What every moving figure shares on a page: its sliders, its sentence, its svg, its play button.
// The figure's own script follows in the same block and calls fig.show once.
const root = document.currentScript.closest(".pan-fig");
const stage = root.querySelector(".pan-fig-stage");
const words = root.querySelector("output");
const inputs = [...root.querySelectorAll("input")];
const page = JSON.parse(root.querySelector("script.pan-fig-data").textContent);
let paint = () => ({ sentence: words.textContent, numbers: {} });

const fig = {
  data: page.data,
  image: stage.querySelector("img"),

  // The value of every control by its name.
  values() {
    return Object.fromEntries(page.controls.map((control, i) => [control.name, control.values[+inputs[i].value]]));
  },

  places: () => inputs.map((input) => +input.value),

  // Move controls to the nearest of their values, as if the reader had moved the sliders.
  set(wanted) {
    page.controls.forEach((control, i) => {
      if (!(control.name in wanted)) return;
      const far = control.values.map((value) => Math.abs(value - wanted[control.name]));
      inputs[i].value = far.indexOf(Math.min(...far));
    });
    player.take();
    refresh();
  },

  // layout(width) builds the picture for a width in pixels and returns paint(values), which
  // brings it up to date and returns {sentence, numbers}. It is built again when the width changes.
  show(layout) {
    let width = 0;
    const fit = () => {
      const room = Math.max(260, Math.min(680, Math.floor(stage.clientWidth) || 260));
      if (room === width) return;
      width = room;
      paint = layout(width);
      refresh();
    };
    fit();
    inputs.forEach((input) => {
      input.disabled = false;
      input.addEventListener("input", () => { player.take(); refresh(); });
      input.addEventListener("pointerdown", player.take);
      input.addEventListener("keydown", (event) => { if (event.key !== "Tab") player.take(); });
    });
    new ResizeObserver(() => requestAnimationFrame(fit)).observe(stage);
    player.start();
  },

  // A fresh svg of this many pixels in the place of the still picture.
  svg(width, height) {
    const svg = fig.add(null, "svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": page.alt });
    stage.replaceChildren(svg);
    return svg;
  },

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

  // Call move(x, y), in the svg's pixels, while a handle is dragged by mouse, pen or finger.
  drag(svg, handle, move) {
    const follow = (event) => {
      const box = svg.getBoundingClientRect();
      move(event.clientX - box.left, event.clientY - box.top);
    };
    handle.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      handle.setPointerCapture(event.pointerId);
      follow(event);
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) follow(event);
    });
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
  inputs.forEach((input, i) => {
    const text = page.controls[i].texts[+input.value];
    input.setAttribute("aria-valuetext", text);
    input.parentElement.querySelector(".pan-fig-value").textContent = text;
  });
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

  const input = inputs[page.controls.findIndex((control) => control.name === settings.control)];
  const pause = (1000 * settings.seconds) / +input.max;
  const step = () => {
    const last = +input.value === +input.max;
    if (last && !settings.loop) return stop();
    if (!document.hidden) {
      input.value = last ? 0 : +input.value + 1;
      refresh();
    }
    timer = setTimeout(step, +input.value === +input.max ? pause + 1500 : pause);
  };
  const play = () => {
    if (calm.matches || timer) return;
    button.textContent = "Pause";
    words.setAttribute("aria-live", "off"); // a screen reader reads the sentence when it rests
    if (+input.value === +input.max) { input.value = 0; refresh(); }
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
