// One noisy point and the posterior mean of its origin.
import { idealDenoiser } from "./js/denoisers.js";
import { legend } from "./js/legend.js";
import { addNoise, tabledPath } from "./js/paths.js";
import { perplexity } from "./js/softmax.js";

const { data, x0, times, alpha, sigma, limit } = fig.data;
const path = tabledPath(times, alpha, sigma);
const denoiser = idealDenoiser(data, path);

const find = (t, across, up) => {
  const x_t = addNoise(x0, [across, up], path.levels(t));
  const weights = denoiser.weights(x_t, t);
  return { x_t, weights, mean: denoiser(x_t, t), perplexity: perplexity(weights) };
};

const SHAPES = {
  clean: ["data", "M-6 -6h12v12h-12z"],
  noisy: ["noise", "M-8 0a8 8 0 1 0 16 0a8 8 0 1 0 -16 0z"],
  mean: ["prediction", "M0 -9l9 9l-9 9l-9 -9z"],
  dot: ["data", "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z"],
};
const mark = (parent, name, more = {}) => fig.add(parent, "path", { d: SHAPES[name][1], fill: `var(--fig-${SHAPES[name][0]})`, stroke: "var(--fig-paper)", "stroke-width": 1.5, ...more });

const NAMES = { noisy: "noisy point", clean: "clean point", mean: "posterior mean", dot: "data points" };
const [LEFT, BELOW] = [22, 24]; // room for the numbers beside the plane and under it

const plane = (page, top, wide) => {
  const side = wide - LEFT;
  const svg = fig.add(page, "g", { transform: `translate(${LEFT} ${top})` });
  const scale = side / 2 / limit;
  const place = ([x, y]) => [side / 2 + x * scale, side / 2 - y * scale];
  const grey = { stroke: "var(--fig-rule)", fill: "none" };
  fig.add(svg, "rect", { x: 0.5, y: 0.5, width: side - 1, height: side - 1, ...grey });
  for (let unit = -Math.floor(limit); unit <= limit; unit += 1) {
    const [x, y] = place([unit, unit]);
    fig.add(svg, "path", { d: `M${x} 0V${side}M0 ${y}H${side}`, ...grey, "stroke-dasharray": unit ? "1 5" : "none" });
    fig.add(svg, "text", { x, y: side + 16, "text-anchor": "middle" }, fig.number(unit, 0));
    fig.add(svg, "text", { x: -7, y: y + 4.5, "text-anchor": "end" }, fig.number(unit, 0));
  }
  const noised = fig.add(svg, "path", { fill: "none", stroke: "var(--fig-noise)", "stroke-dasharray": "3 4", "stroke-width": 1.5 });
  const curve = fig.add(svg, "path", { fill: "none", stroke: "var(--fig-prediction)", opacity: 0.5, "stroke-width": 2 });
  const dots = data.map((point) => {
    const [cx, cy] = place(point);
    return fig.add(svg, "circle", { cx, cy, fill: "var(--fig-data)" });
  });
  const [origin, mean, point] = [mark(svg, "clean"), mark(svg, "mean"), mark(svg, "noisy")];
  let now = path.levels(times[0]);
  const handle = fig.grip({
    label: "The noisy point. Arrow keys move its noise.",
    move(x, y) {
      const [px, py] = [(x - LEFT - side / 2) / scale, (side / 2 - (y - top)) / scale];
      const [a, s] = now;
      fig.set({ across: (px - a * x0[0]) / s, up: (py - a * x0[1]) / s });
    },
    key: (right, up) => (right ? fig.step("across", right) : fig.step("up", up)),
  });
  const trace = (points) => "M" + points.map((p) => place(p).map((c) => c.toFixed(1)).join(" ")).join("L");
  const put = (shape, at) => fig.put(shape, { transform: `translate(${place(at)})` });
  return (found, { t, across, up }) => {
    now = path.levels(t);
    const all = times.map((time) => find(time, across, up));
    fig.put(curve, { d: trace(all.map((step) => step.mean)) });
    fig.put(noised, { d: trace([x0, ...all.map((step) => step.x_t)]) });
    dots.forEach((dot, i) => fig.put(dot, { r: 2.5 + 12 * Math.sqrt(found.weights[i]), opacity: 0.55 + 0.3 * found.weights[i] }));
    put(origin, x0);
    put(point, found.x_t);
    put(mean, found.mean);
    const [x, y] = place(found.x_t);
    handle.put(LEFT + x, top + y);
  };
};

// The weights in falling order, on an axis that ends a little above the largest.
const ENDS = [0.1, 0.2, 0.5, 1];
const bars = (svg, x0, y0, width, height) => {
  const [left, bottom, top] = [x0 + 38, y0 + height - 26, y0 + 24];
  const pitch = (x0 + width - left) / data.length;
  fig.add(svg, "text", { x: x0, y: y0 + 12, style: "fill: var(--fig-data)" }, "weight");
  const marks = [0, 0.5, 1].map((part) => {
    const y = bottom - part * (bottom - top);
    fig.add(svg, "path", { d: `M${left} ${y}H${x0 + width}`, stroke: "var(--fig-rule)" });
    return [part, fig.add(svg, "text", { x: left - 6, y: y + 4.5, "text-anchor": "end" })];
  });
  fig.add(svg, "text", { x: left, y: bottom + 20 }, "data points, by weight");
  const columns = data.map((_, i) => fig.add(svg, "rect", { x: left + i * pitch, width: Math.max(1, pitch - 1), fill: "var(--fig-data)" }));
  return (found) => {
    const falling = [...found.weights].sort((a, b) => b - a);
    const end = ENDS.find((each) => each >= falling[0]) ?? 1;
    marks.forEach(([part, text]) => { text.textContent = String(part * end); });
    columns.forEach((column, i) => {
      const tall = (falling[i] / end) * (bottom - top);
      fig.put(column, { y: bottom - tall, height: tall });
    });
  };
};

fig.show((width) => {
  const wide = width >= 560;
  const side = Math.min(width, 420);
  const svg = fig.svg(width, width);
  const names = Object.entries(NAMES).map(([name, text]) => [SHAPES[name][0], SHAPES[name][1], text, { opacity: name === "dot" ? 0.6 : 1 }]);
  const top = legend(fig, svg, names, width) + 10;
  const low = top + side - LEFT + BELOW;
  fig.grow(svg, wide ? low : low + 190);
  const map = plane(svg, top, side);
  const chart = wide ? bars(svg, side + 24, top, width - side - 24, side - LEFT + 6) : bars(svg, 0, low + 14, width, 176);
  return ({ t, across, up }) => {
    const found = find(t, across, up);
    map(found, { t, across, up });
    chart(found);
    const [a, s] = path.levels(t);
    const [noisy, mean] = [found.x_t, found.mean].map((point) => point.map((part) => fig.number(part)).join(", "));
    const sentence = `t = ${t}, alpha ${fig.number(a)}, sigma ${fig.number(s)}: the noisy point is (${noisy}), the posterior mean (${mean}). The largest weight is ${fig.number(Math.max(...found.weights))}; the weights are as spread as over ${fig.number(found.perplexity, 1)} equal points.`;
    return { sentence, numbers: found };
  };
});
