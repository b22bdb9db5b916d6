// Points sampled from noise to one class, with guidance.
import { guidedDenoiser, idealDenoiser } from "./js/denoisers.js";
import { legend } from "./js/legend.js";
import { trigPath } from "./js/paths.js";
import { distance, meanOf, nearest, rmsDistance } from "./js/points.js";
import { ddimSample, evenTimes } from "./js/samplers.js";

const { centres, labels, std, starts, first, steps, when: spans, limit } = fig.data;
const ofClass = (label) => centres.filter((_, i) => labels[i] === label);
const unconditional = idealDenoiser(centres, trigPath, std);
const timesteps = evenTimes(first, steps);

const endsOf = (guidanceScale, when, label) => {
  const conditional = idealDenoiser(ofClass(label), trigPath, std);
  const guided = guidedDenoiser(conditional, unconditional, guidanceScale, spans[when], trigPath.T);
  return starts.map((x_T) => ddimSample(guided, x_T, trigPath, { timesteps })[steps - 1].x);
};

const find = (guidanceScale, when, label) => {
  const [own, ends] = [ofClass(label), endsOf(guidanceScale, when, label)];
  const [trueMiddle, middle] = [meanOf(own), meanOf(ends)];
  const spread = (points, from) => rmsDistance(points, points.map(() => from));
  return {
    ends,
    fraction: ends.filter((end) => labels[nearest(end, centres)] === label).length / ends.length,
    spread: spread(ends, middle),
    true: Math.hypot(spread(own, trueMiddle), std * Math.SQRT2),
    gap: distance(middle, trueMiddle),
  };
};

const describe = (found, guidanceScale, when, label) =>
  `Class ${label}, scale ${guidanceScale}, guidance on: ${when}. ${fig.number(100 * found.fraction, 0)} % of the points are nearest to the class. ` +
  `Their spread is ${fig.number(found.spread)}, that of the class ${fig.number(found.true)}; their middle is ${fig.number(found.gap)} from its middle.`;

const DOT = "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z";
const LEGEND = [
  ["data", DOT, "wanted class"],
  ["noise", DOT, "no guidance"],
  ["prediction", DOT, "guided"],
];

fig.show((width) => {
  const side = Math.min(width, 510);
  const left = (width - side) / 2;
  const svg = fig.svg(width, width);
  const top = legend(fig, svg, LEGEND, side, left) + 8;
  fig.grow(svg, top + side);
  const scaling = side / 2 / limit;
  const place = ([x, y]) => [left + side / 2 + x * scaling, top + side / 2 - y * scaling];
  fig.add(svg, "rect", { x: left + 0.5, y: top + 0.5, width: side - 1, height: side - 1, fill: "none", stroke: "var(--fig-rule)" });
  const rings = centres.flatMap((centre, i) => {
    const [cx, cy] = place(centre);
    return [2, 1].map((size) => [labels[i], fig.add(svg, "circle", { cx, cy, r: size * std * scaling, fill: "var(--fig-data)" })]);
  });
  const plain = fig.add(svg, "path", { fill: "var(--fig-noise)" });
  const guided = fig.add(svg, "path", { fill: "var(--fig-prediction)" });
  const dots = (points, r) =>
    points
      .map(place)
      .filter(([x, y]) => x > left + r && x < left + side - r && y > top + r && y < top + side - r)
      .map(([x, y]) => `M${(x - r).toFixed(1)} ${y.toFixed(1)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`)
      .join("");
  return ({ guidance_scale: guidanceScale, when, label }) => {
    const found = find(guidanceScale, when, label);
    rings.forEach(([own, ring]) => fig.put(ring, { opacity: own === label ? 0.3 : 0.1 }));
    fig.put(plain, { d: dots(endsOf(1, "always", label), 2) });
    fig.put(guided, { d: dots(found.ends, 2.6) });
    return { sentence: describe(found, guidanceScale, when, label), numbers: { ...found, ends: found.ends.flat() } };
  };
}, { beside: true });
