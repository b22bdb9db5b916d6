// The same noise through five solvers. The arithmetic is that of solver_paths.py.
const { centres, std, starts, noise, first, fine, limit } = fig.data;
const axes = [0, 1];

const guess = (x, alpha, sigma) => {
  const spread = (alpha * std) ** 2 + sigma ** 2;
  const weights = fig.softmax(centres.map((c) => -((x[0] - alpha * c[0]) ** 2 + (x[1] - alpha * c[1]) ** 2) / (2 * spread)));
  const gain = (alpha * std * std) / spread;
  const x0 = axes.map((axis) => {
    const mean = weights.reduce((sum, weight, i) => sum + weight * centres[i][axis], 0);
    return mean + gain * (x[axis] - alpha * mean);
  });
  return [x0, axes.map((axis) => (x[axis] - alpha * x0[axis]) / sigma)];
};

const walk = (solver, steps, n) => {
  const angles = Array.from({ length: steps + 1 }, (_, i) => first * (1 - i / steps));
  let [x, before] = [starts[n], null];
  const path = [x];
  for (let step = 0; step < steps; step += 1) {
    const [a, b, last] = [angles[step], angles[step + 1], step === steps - 1];
    const [alpha, sigma] = [Math.cos(a), Math.sin(a)];
    const [alphaB, sigmaB] = last ? [1, 0] : [Math.cos(b), Math.sin(b)];
    const [x0, eps] = guess(x, alpha, sigma);
    const plain = axes.map((i) => alphaB * x0[i] + sigmaB * eps[i]);
    const now = x;
    const shrunk = (alpha * sigmaB) / (alphaB * sigma);
    if (solver === "DDPM" && !last) {
      const fresh = (sigmaB / sigma) * Math.sqrt(sigma ** 2 - ((alpha / alphaB) * sigmaB) ** 2);
      const kept = Math.sqrt(Math.max(sigmaB ** 2 - fresh ** 2, 0));
      x = axes.map((i) => alphaB * x0[i] + kept * eps[i] + fresh * noise[step][n][i]);
    } else if (solver === "Euler") {
      x = axes.map((i) => now[i] + (b - a) * (alpha * eps[i] - sigma * x0[i]));
    } else if (solver === "Heun" && !last) {
      const end = guess(plain, alphaB, sigmaB)[1];
      const span = sigmaB / alphaB - sigma / alpha;
      x = axes.map((i) => alphaB * (now[i] / alpha + (span * (eps[i] + end[i])) / 2));
    } else if (solver === "DPM-Solver++" && !last && before) {
      const half = Math.log(shrunk) / before[1] / 2;
      const best = axes.map((i) => (1 + half) * x0[i] - half * before[0][i]);
      x = axes.map((i) => (sigmaB / sigma) * now[i] - alphaB * (shrunk - 1) * best[i]);
    } else {
      x = plain;
    }
    if (!last) before = [x0, Math.log(shrunk)];
    path.push(x);
  }
  return path;
};

const find = (solver, steps) => {
  const paths = starts.map((_, n) => walk(solver, steps, n));
  const gaps = paths.map((path, n) => {
    const [end, exact] = [path[path.length - 1], fine[n][fine[n].length - 1]];
    return (end[0] - exact[0]) ** 2 + (end[1] - exact[1]) ** 2;
  });
  const gap = Math.sqrt(gaps.reduce((sum, part) => sum + part, 0) / gaps.length);
  return { paths, calls: solver === "Heun" ? 2 * steps - 1 : steps, gap };
};

const say = (found, solver, steps) => {
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
      fig.put(lines[n].end, { transform: `translate(${place(path[path.length - 1])})` });
    });
    return { sentence: say(found, solver, steps), numbers: { ...found, paths: found.paths.flat(2) } };
  };
});
