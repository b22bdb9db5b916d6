// A query among keys, in the reader's hands.
import { arrow } from "./js/arrow.js";
import { attention } from "./js/attention.js";

const { keys, values, limit } = fig.data;
const names = keys.map((_, i) => `k${i + 1}`);

const lookUp = ({ angle, length }) => {
  const turn = (angle * Math.PI) / 180;
  const query = [length * Math.cos(turn), length * Math.sin(turn)];
  const { output, weights, scores } = attention(query, keys, values.map((value) => [value]));
  return { query, scores, weights, output: output[0] };
};

const line = (parent, x1, y1, x2, y2, look) => fig.add(parent, "line", { x1, y1, x2, y2, ...look });
const grey = { stroke: "var(--fig-rule)" };

const plane = (svg, side) => {
  const middle = side / 2;
  const scale = middle / limit;
  const place = ([x, y]) => [middle + x * scale, middle - y * scale];
  fig.add(svg, "rect", { x: 0.5, y: 0.5, width: side - 1, height: side - 1, fill: "none", ...grey });
  line(svg, 0, middle, side, middle, grey);
  line(svg, middle, 0, middle, side, grey);
  for (let r = 1; r < limit; r += 1) fig.add(svg, "circle", { cx: middle, cy: middle, r: r * scale, fill: "none", ...grey, "stroke-dasharray": "1 4" });
  const arrows = keys.map(() => arrow(fig, svg, "var(--fig-key)", 2.5));
  keys.forEach((key, i) => {
    const [x, y] = place(key);
    const long = Math.hypot(x - middle, y - middle) || 1;
    fig.add(svg, "text", { x: x + (13 * (x - middle)) / long, y: y + (13 * (y - middle)) / long + 4, class: "halo", style: "fill: var(--fig-key)", "text-anchor": "middle" }, names[i]);
  });
  const query = arrow(fig, svg, "var(--fig-query)", 3.5);
  const label = fig.add(svg, "text", { class: "halo", style: "fill: var(--fig-query); font-weight: 600" }, "query");
  const handle = fig.grip({
    label: "The query. Left and right arrow keys turn it, up and down change its length.",
    move(x, y) {
      const [dx, dy] = [(x - middle) / scale, (middle - y) / scale];
      fig.set({ angle: (Math.atan2(dy, dx) * 180) / Math.PI, length: Math.hypot(dx, dy) });
    },
    key: (right, up) => (right ? fig.step("angle", -right) : fig.step("length", up)),
  });
  return (found) => {
    keys.forEach((key, i) => arrows[i](middle, middle, ...place(key), 0.5 + 0.5 * found.weights[i]));
    const [x, y] = place(found.query);
    query(middle, middle, x, y);
    const left = x > side - 60;
    fig.put(label, { x: left ? x - 10 : x + 10, y: Math.min(side - 6, Math.max(16, y + 18)), "text-anchor": left ? "end" : "start" });
    handle.put(x, y);
  };
};

const bars = (svg, x0, y0, width) => {
  const row = 28;
  const at = { key: x0, score: x0 + 74, bar: x0 + 88, value: x0 + width };
  const long = width - 88 - 92;
  const head = (x, text, anchor, colour) => fig.add(svg, "text", { x, y: y0 + 12, "text-anchor": anchor, style: `fill: var(--fig-${colour})` }, text);
  head(at.key, "key", "start", "key");
  head(at.score, "score", "end", "ink");
  head(at.bar, "weight", "start", "query");
  head(at.value, "value", "end", "value");
  const rows = keys.map((_, i) => {
    const y = y0 + 36 + i * row;
    const text = (x, anchor, colour, words = "") => fig.add(svg, "text", { x, y, "text-anchor": anchor, style: `fill: var(--fig-${colour})` }, words);
    text(at.key, "start", "key", names[i]);
    text(at.value, "end", "value", fig.number(values[i]));
    fig.add(svg, "rect", { x: at.bar, y: y - 12, width: long, height: 15, fill: "var(--fig-rule)", opacity: 0.5 });
    const bar = fig.add(svg, "rect", { x: at.bar, y: y - 12, height: 15, fill: "var(--fig-query)" });
    return { score: text(at.score, "end", "ink"), bar, weight: text(at.bar + long + 8, "start", "ink") };
  });
  return (found) => rows.forEach(({ score, bar, weight }, i) => {
    score.textContent = fig.number(found.scores[i]);
    weight.textContent = fig.number(found.weights[i]);
    fig.put(bar, { width: long * found.weights[i] });
  });
};

const valueLine = (svg, y, width) => {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const span = high - low || 1;
  const place = (value) => 30 + ((width - 60) * (value - low)) / span;
  line(svg, 12, y, width - 12, y, { stroke: "var(--fig-edge)" });
  for (const value of [low, (low + high) / 2, high]) {
    line(svg, place(value), y - 4, place(value), y + 4, { stroke: "var(--fig-edge)" });
    fig.add(svg, "text", { x: place(value), y: y + 34, "text-anchor": "middle" }, fig.number(value));
  }
  fig.add(svg, "text", { x: 12, y: y - 40, style: "fill: var(--fig-value)" }, "values, and the output between them");
  const dots = values.map((value) => fig.add(svg, "circle", { cx: place(value), cy: y, fill: "var(--fig-value)", opacity: 0.6 }));
  const mark = fig.add(svg, "path", { fill: "var(--fig-ink)" });
  const label = fig.add(svg, "text", { y: y - 14, class: "halo", style: "font-weight: 600" });
  return (found) => {
    dots.forEach((dot, i) => fig.put(dot, { r: 3 + 14 * Math.sqrt(found.weights[i]) }));
    const x = place(found.output);
    fig.put(mark, { d: `M${x} ${y - 8}l7 8l-7 8l-7 -8z` });
    label.textContent = `output ${fig.number(found.output)}`;
    fig.put(label, { x: Math.min(width - 45, Math.max(45, x)), "text-anchor": "middle" });
  };
};

fig.show((width) => {
  const wide = width >= 560;
  const side = wide ? Math.min(360, Math.round(0.45 * width)) : Math.min(width, 340);
  const table = 44 + keys.length * 28;
  const top = wide ? Math.max(side, table) : side + 14 + table;
  const svg = fig.svg(width, top + 104);
  const parts = [
    plane(svg, side),
    wide ? bars(svg, side + 28, Math.max(0, (side - table) / 2), width - side - 28) : bars(svg, 0, side + 14, width),
    valueLine(svg, top + 64, width),
  ];
  return (where) => {
    const found = lookUp(where);
    parts.forEach((part) => part(found));
    const weights = found.weights.map((weight) => fig.number(weight)).join(", ");
    const sentence = `Query at ${where.angle}°, length ${fig.number(where.length)}: the weights are ${weights}; the output is ${fig.number(found.output)}.`;
    return { sentence, numbers: found };
  };
});
