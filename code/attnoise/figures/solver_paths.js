// The same noise through five solvers.
import { idealDenoiser } from "./js/denoisers.js";
import { trigPath } from "./js/paths.js";
import { rmsDistance } from "./js/points.js";
import { ddimSample, ddpmSample, dpmSolverSample, eulerSample, evenTimes, heunSample } from "./js/samplers.js";

const { centres, std, starts, noise, first, fine, limit } = fig.data;
const denoiser = idealDenoiser(centres, trigPath, std);
const endOf = (path) => path[path.length - 1];
const SAMPLERS = {
  DDPM: [ddpmSample, {}],
  DDIM: [ddimSample, {}],
  Euler: [eulerSample, { parametrisation: "trig" }],
  Heun: [heunSample, {}],
  "DPM-Solver++": [dpmSolverSample, {}],
};

const find = (solver, steps) => {
  const [sampler, options] = SAMPLERS[solver];
  const timesteps = evenTimes(first, steps);
  const paths = starts.map((x_T, n) => {
    const own = { ...options, timesteps, noise: noise.map((step) => step[n]) };
    return [x_T, ...sampler(denoiser, x_T, trigPath, own).map(({ x }) => x)];
  });
  const gap = rmsDistance(paths.map(endOf), fine.map(endOf));
  return { paths, calls: solver === "Heun" ? 2 * steps - 1 : steps, gap };
};

const describe = (found, solver, steps) => {
  const end = solver === "DDPM" ? "It adds noise, so its ends are other samples of the same data" : `Its ends lie ${fig.number(found.gap)} from those of the exact paths`;
  return `${solver}, ${steps} steps, ${found.calls} calls of the denoiser. ${end}.`;
};

const LEGEND = [
  ["noise", "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z", "noise"],
  ["noise", "M-9 -0.7h18v1.4h-18z", "exact path"],
  ["prediction", "M-9 -1h18v2h-18z", "solver's path"],
  ["prediction", "M0 -6l6 6l-6 6l-6 -6z", "its end"],
];

fig.show((width) => {
  const side = Math.min(width, 460);
  const columns = width >= 460 ? 4 : 2;
  const top = columns === 4 ? 34 : 56;
  const svg = fig.svg(width, top + side);
  LEGEND.forEach(([idea, d, text], i) => {
    const [x, y] = [12 + (i % columns) * 115, 12 + 22 * Math.floor(i / columns)];
    fig.add(svg, "path", { d, fill: `var(--fig-${idea})`, transform: `translate(${x} ${y})` });
    fig.add(svg, "text", { x: x + 14, y: y + 4.5 }, text);
  });
  const left = (width - side) / 2;
  const scale = side / 2 / limit;
  const place = ([x, y]) => [left + side / 2 + x * scale, top + side / 2 - y * scale];
  fig.add(svg, "rect", { x: left + 0.5, y: top + 0.5, width: side - 1, height: side - 1, fill: "none", stroke: "var(--fig-rule)" });
  for (const centre of centres) {
    const [cx, cy] = place(centre);
    for (const size of [2, 1]) fig.add(svg, "circle", { cx, cy, r: size * std * scale, fill: "var(--fig-data)", opacity: 0.18 });
  }
  const trace = (points) => "M" + points.map((point) => place(point).map((v) => v.toFixed(1)).join(" ")).join("L");
  fine.forEach((path) => fig.add(svg, "path", { d: trace(path), fill: "none", stroke: "var(--fig-noise)" }));
  const lines = starts.map((start) => {
    const line = fig.add(svg, "path", { fill: "none", stroke: "var(--fig-prediction)", "stroke-width": 1.6 });
    const dots = fig.add(svg, "path", { fill: "var(--fig-prediction)" });
    const [cx, cy] = place(start);
    fig.add(svg, "circle", { cx, cy, r: 4.5, fill: "var(--fig-noise)" });
    const end = fig.add(svg, "path", { d: LEGEND[3][1], fill: "var(--fig-prediction)", stroke: "var(--fig-paper)" });
    return { line, dots, end };
  });
  const dot = (point) => {
    const [x, y] = place(point);
    return `M${(x - 2.4).toFixed(1)} ${y.toFixed(1)}a2.4 2.4 0 1 0 4.8 0a2.4 2.4 0 1 0 -4.8 0z`;
  };
  return ({ solver, steps }) => {
    const found = find(solver, steps);
    found.paths.forEach((path, n) => {
      fig.put(lines[n].line, { d: trace(path) });
      fig.put(lines[n].dots, { d: path.slice(1, -1).map(dot).join("") });
      fig.put(lines[n].end, { transform: `translate(${place(endOf(path))})` });
    });
    return { sentence: describe(found, solver, steps), numbers: { ...found, paths: found.paths.flat(2) } };
  };
});
