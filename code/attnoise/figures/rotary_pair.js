// A query and a key that turn with their positions.
import { arrow } from "./js/arrow.js";
import { legend } from "./js/legend.js";
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
const ARROW = "M-10 -1.5h12v-4l9 5.5l-9 5.5v-4h-12z"; // as in the planes

// An arrow is turned like a crank: once round is as many positions as one turn of its pair takes.
const crank = (name, j, mx, my) => {
  const control = `${name}_at`;
  let [last, turned, from] = [0, 0, 0];
  return fig.grip({
    label: `The ${name} in pair ${j}`,
    grab(x, y) { [last, turned, from] = [Math.atan2(my - y, x - mx), 0, fig.values()[control]]; },
    move(x, y) {
      const now = Math.atan2(my - y, x - mx);
      turned += Math.atan2(Math.sin(now - last), Math.cos(now - last)); // the short way round
      last = now;
      fig.set({ [control]: from + turned / angles[j] });
    },
    key: (right, up) => fig.step(control, right || up),
  });
};

// One pair's plane: both arrows, faint where they would point at position 0.
const plane = (svg, j, x0, y0, side) => {
  const [mx, my, scale] = [x0 + side / 2, y0 + side / 2, side / 2 / limit];
  const degrees = fig.number((angles[j] * 180) / Math.PI, 1);
  fig.add(svg, "text", { x: mx, y: y0 - 8, "text-anchor": "middle" }, `pair ${j}: ${degrees}° a step`);
  fig.add(svg, "rect", { x: x0 + 0.5, y: y0 + 0.5, width: side - 1, height: side - 1, fill: "none", ...grey });
  line(svg, x0, my, x0 + side, my, grey);
  line(svg, mx, y0, mx, y0 + side, grey);
  const place = ([x, y]) => [mx, my, mx + x * scale, my - y * scale];
  const tips = ["key", "query"].map((name) => {
    const pair = pairOf(name === "key" ? key : query, j);
    arrow(fig, svg, `var(--fig-${name})`, 2)(...place(pair), 0.25);
    return { name, point: arrow(fig, svg, `var(--fig-${name})`, 3), handle: crank(name, j, mx, my) };
  });
  const words = fig.add(svg, "text", { x: mx, y: y0 + side + 18, "text-anchor": "middle" });
  return (found) => {
    for (const { name, point, handle } of tips) {
      const ends = place(pairOf(found[name], j));
      point(...ends);
      handle.put(ends[2], ends[3], `The ${name} in pair ${j}, at position ${found.at[name]}. Arrow keys move it along the sequence.`);
    }
    words.textContent = `adds ${fig.number(found.parts[j])}`;
  };
};

const curve = (svg, x0, y0, width, height) => {
  const [left, right] = [x0 + 44, x0 + width - 12];
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
  fig.add(svg, "text", { x: (left + right) / 2, y: y0 + height + 36, "text-anchor": "middle" }, "query's position less the key's");
  const points = Array.from({ length: 8 * farthest + 1 }, (_, i) => i / 4 - farthest);
  const path = points.map((place) => `${across(place)} ${down(turnBoth(place, 0).score)}`).join("L");
  fig.add(svg, "path", { d: `M${path}`, fill: "none", stroke: "var(--fig-noise)", "stroke-width": 1.5 });
  const dot = fig.add(svg, "circle", { r: 6, fill: "var(--fig-ink)" });
  return (found) => fig.put(dot, { cx: across(found.difference), cy: down(found.score) });
};

fig.show((width) => {
  const gap = 16;
  const wide = width >= 640; // the curve stands beside the planes
  const side = Math.min(240, (width - gap * (angles.length - 1)) / angles.length);
  const used = angles.length * (side + gap);
  const first = wide ? 0 : (width - used + gap) / 2;
  const svg = fig.svg(width, width);
  const top = legend(fig, svg, ["query", "key"].map((name) => [name, ARROW, name]), width) + 26;
  const low = top + side + 50;
  fig.grow(svg, wide ? top + side + 44 : low + 150 + 44);
  const parts = angles.map((_, j) => plane(svg, j, first + j * (side + gap), top, side));
  parts.push(wide ? curve(svg, used, top, width - used, side) : curve(svg, 0, low, width, 150));
  return (where) => {
    const found = turnBoth(where.query_at, where.key_at);
    const at = { query: where.query_at, key: where.key_at };
    parts.forEach((part) => part({ ...found, at }));
    const sentence = `Query at ${where.query_at}, key at ${where.key_at}: the difference is ${found.difference}, the score is ${fig.number(found.score)}.`;
    return { sentence, numbers: found };
  };
});
