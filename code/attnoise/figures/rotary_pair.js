// A query and a key that turn with their positions.
import { arrow } from "./js/arrow.js";
import { rotaryAngles, rotate } from "./js/rotary.js";

const { query, key, base, farthest, limit, most } = fig.data;
const angles = rotaryAngles(query.length, base);
const pairOf = (x, j) => [x[2 * j], x[2 * j + 1]];

const turnBoth = (queryAt, keyAt) => {
  const found = { query: rotate(query, queryAt, base), key: rotate(key, keyAt, base), difference: queryAt - keyAt };
  const products = found.query.map((part, i) => (part * found.key[i]) / Math.sqrt(query.length));
  found.parts = angles.map((_, j) => products[2 * j] + products[2 * j + 1]);
  found.score = found.parts.reduce((sum, part) => sum + part, 0);
  return found;
};

const line = (parent, x1, y1, x2, y2, look) => fig.add(parent, "line", { x1, y1, x2, y2, ...look });
const grey = { stroke: "var(--fig-rule)" };

// One pair's plane: both arrows, faint where they would point at position 0.
const plane = (svg, j, x0, y0, side) => {
  const [mx, my, scale] = [x0 + side / 2, y0 + side / 2, side / 2 / limit];
  const degrees = fig.number((angles[j] * 180) / Math.PI, 1);
  fig.add(svg, "text", { x: mx, y: y0 - 8, "text-anchor": "middle" }, `pair ${j}: ${degrees}° a step`);
  fig.add(svg, "rect", { x: x0 + 0.5, y: y0 + 0.5, width: side - 1, height: side - 1, fill: "none", ...grey });
  line(svg, x0, my, x0 + side, my, grey);
  line(svg, mx, y0, mx, y0 + side, grey);
  const place = ([x, y]) => [mx, my, mx + x * scale, my - y * scale];
  const arrows = ["key", "query"].map((name) => {
    const pair = pairOf(name === "key" ? key : query, j);
    arrow(fig, svg, `var(--fig-${name})`, 2)(...place(pair), 0.25);
    return arrow(fig, svg, `var(--fig-${name})`, 3);
  });
  const words = fig.add(svg, "text", { x: mx, y: y0 + side + 18, "text-anchor": "middle" });
  return (found) => {
    arrows[0](...place(pairOf(found.key, j)));
    arrows[1](...place(pairOf(found.query, j)));
    words.textContent = `adds ${fig.number(found.parts[j])}`;
  };
};

const curve = (svg, y0, width, height) => {
  const [left, right] = [44, width - 12];
  const across = (difference) => left + ((right - left) * (difference + farthest)) / (2 * farthest);
  const down = (score) => y0 + (height * (most - score)) / (2 * most);
  line(svg, left, down(0), right, down(0), grey);
  line(svg, across(0), y0, across(0), y0 + height, grey);
  line(svg, left, y0, left, y0 + height, { stroke: "var(--fig-edge)" });
  line(svg, left, y0 + height, right, y0 + height, { stroke: "var(--fig-edge)" });
  const top = Math.max(0.5, Math.floor(most * 2) / 2);
  for (const score of [-top, 0, top]) fig.add(svg, "text", { x: left - 6, y: down(score) + 4, "text-anchor": "end" }, fig.number(score, 1));
  for (const difference of [-farthest, 0, farthest]) {
    const anchor = difference > 0 ? "end" : "middle";
    fig.add(svg, "text", { x: across(difference), y: y0 + height + 17, "text-anchor": anchor }, fig.number(difference, 0));
  }
  fig.add(svg, "text", { x: left + 6, y: y0 - 6 }, "score");
  fig.add(svg, "text", { x: (left + right) / 2, y: y0 + height + 36, "text-anchor": "middle" }, "position of the query, less that of the key");
  const points = Array.from({ length: 8 * farthest + 1 }, (_, i) => i / 4 - farthest);
  const path = points.map((place) => `${across(place)} ${down(turnBoth(place, 0).score)}`).join("L");
  fig.add(svg, "path", { d: `M${path}`, fill: "none", stroke: "var(--fig-noise)", "stroke-width": 1.5 });
  const dot = fig.add(svg, "circle", { r: 6, fill: "var(--fig-ink)" });
  return (found) => fig.put(dot, { cx: across(found.difference), cy: down(found.score) });
};

fig.show((width) => {
  const gap = 16;
  const side = Math.min(230, (width - gap * (angles.length - 1)) / angles.length);
  const first = (width - angles.length * side - gap * (angles.length - 1)) / 2;
  const low = side + 74;
  const svg = fig.svg(width, low + 150 + 44);
  const parts = angles.map((_, j) => plane(svg, j, first + j * (side + gap), 24, side));
  parts.push(curve(svg, low, width, 150));
  const names = [["query", "start", 4], ["key", "end", width - 4]];
  for (const [name, anchor, x] of names) fig.add(svg, "text", { x, y: side + 42, "text-anchor": anchor, style: `fill: var(--fig-${name}); font-weight: 600` }, name);
  return (where) => {
    const found = turnBoth(where.query_at, where.key_at);
    parts.forEach((part) => part(found));
    const sentence = `Query at ${where.query_at}, key at ${where.key_at}: the difference is ${found.difference}, the score is ${fig.number(found.score)}.`;
    return { sentence, numbers: found };
  };
});
