// The same noise through five solvers; its points can be moved.
import { idealDenoiser } from "./js/denoisers.js";
import { legend } from "./js/legend.js";
import { trigPath } from "./js/paths.js";
import { rmsDistance } from "./js/points.js";
import { ddimSample, ddpmSample, dpmSolverSample, eulerSample, evenTimes, heunSample } from "./js/samplers.js";

const { centres, std, noise, first, limit } = fig.data;
let [starts, fine] = [fig.data.starts, fig.data.fine]; // noise, and where exact paths lead it
const denoiser = idealDenoiser(centres, trigPath, std);
const endOf = (path) => path[path.length - 1];
const SAMPLERS = {
  DDPM: [ddpmSample, {}],
  DDIM: [ddimSample, {}],
  Euler: [eulerSample, { parametrisation: "trig" }],
  Heun: [heunSample, {}],
  "DPM-Solver++": [dpmSolverSample, {}],
};

const pathOf = (n, solver, steps) => {
  const [sampler, options] = SAMPLERS[solver];
  const own = { ...options, timesteps: evenTimes(first, steps), noise: noise.map((step) => step[n]) };
  return [starts[n], ...sampler(denoiser, starts[n], trigPath, own).map(({ x }) => x)];
};

const find = (solver, steps) => {
  const paths = starts.map((_, n) => pathOf(n, solver, steps));
  const gap = rmsDistance(paths.map(endOf), fine.map(endOf));
  return { paths, calls: solver === "Heun" ? 2 * steps - 1 : steps, gap };
};

const describe = (found, solver, steps) => {
  const end = solver === "DDPM" ? "It adds noise, so its ends are other samples of the same data" : `Its ends lie ${fig.number(found.gap)} from those of the exact paths`;
  return `${solver}, ${steps} steps, ${found.calls} calls of the denoiser. ${end}.`;
};

const back = document.createElement("button");
Object.assign(back, { type: "button", className: "pan-fig-play", textContent: "Put the noise back", hidden: true });
back.addEventListener("click", () => {
  [starts, fine, back.hidden] = [fig.data.starts, fig.data.fine, true];
  refresh();
  controls[0].focus();
});
root.querySelector(".pan-fig-controls").append(back);

// Give one point another start, inside the plane.
const moveStart = (n, point) => {
  const inside = point.map((v) => Math.min(limit, Math.max(-limit, v)));
  starts = starts.map((start, i) => (i === n ? inside : start));
  const exact = pathOf(n, "Heun", 64);
  fine = fine.map((path, i) => (i === n ? exact : path));
  back.hidden = false;
  player.take();
  refresh();
};

const LEGEND = [
  ["noise", "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z", "noise (movable)"],
  ["noise", "M-9 -0.7h18v1.4h-18z", "exact path"],
  ["prediction", "M-9 -1h18v2h-18z", "solver's path"],
  ["prediction", "M0 -6l6 6l-6 6l-6 -6z", "its end"],
];

fig.show((width) => {
  const side = Math.min(width, 510);
  const svg = fig.svg(width, width);
  const top = legend(fig, svg, LEGEND, width) + 8;
  fig.grow(svg, top + side);
  const left = (width - side) / 2;
  const scale = side / 2 / limit;
  const place = ([x, y]) => [left + side / 2 + x * scale, top + side / 2 - y * scale];
  fig.add(svg, "rect", { x: left + 0.5, y: top + 0.5, width: side - 1, height: side - 1, fill: "none", stroke: "var(--fig-rule)" });
  for (const centre of centres) {
    const [cx, cy] = place(centre);
    for (const size of [2, 1]) fig.add(svg, "circle", { cx, cy, r: size * std * scale, fill: "var(--fig-data)", opacity: 0.18 });
  }
  const trace = (points) => "M" + points.map((point) => place(point).map((v) => v.toFixed(1)).join(" ")).join("L");
  const exact = fine.map(() => fig.add(svg, "path", { fill: "none", stroke: "var(--fig-noise)" }));
  const lines = starts.map((_, n) => {
    const line = fig.add(svg, "path", { fill: "none", stroke: "var(--fig-prediction)", "stroke-width": 1.6 });
    const dots = fig.add(svg, "path", { fill: "var(--fig-prediction)" });
    const start = fig.add(svg, "circle", { r: 4.5, fill: "var(--fig-noise)" });
    const end = fig.add(svg, "path", { d: LEGEND[3][1], fill: "var(--fig-prediction)", stroke: "var(--fig-paper)" });
    const handle = fig.grip({
      label: `Noise ${n + 1}`,
      move: (x, y) => moveStart(n, [(x - left - side / 2) / scale, (top + side / 2 - y) / scale]),
      key: (right, up) => moveStart(n, [starts[n][0] + 0.1 * right, starts[n][1] + 0.1 * up]),
    });
    return { line, dots, end, start, handle };
  });
  const dot = (point) => {
    const [x, y] = place(point);
    return `M${(x - 2.4).toFixed(1)} ${y.toFixed(1)}a2.4 2.4 0 1 0 4.8 0a2.4 2.4 0 1 0 -4.8 0z`;
  };
  return ({ solver, steps }) => {
    const found = find(solver, steps);
    found.paths.forEach((path, n) => {
      const [cx, cy] = place(starts[n]);
      fig.put(lines[n].start, { cx, cy });
      lines[n].handle.put(cx, cy, `Noise ${n + 1} of ${starts.length}, at ${starts[n].map((v) => fig.number(v)).join(", ")}. Arrow keys move it.`);
      fig.put(exact[n], { d: trace(fine[n]) });
      fig.put(lines[n].line, { d: trace(path) });
      fig.put(lines[n].dots, { d: path.slice(1, -1).map(dot).join("") });
      fig.put(lines[n].end, { transform: `translate(${place(endOf(path))})` });
    });
    return { sentence: describe(found, solver, steps), numbers: { ...found, paths: found.paths.flat(2) } };
  };
}, { beside: true });
