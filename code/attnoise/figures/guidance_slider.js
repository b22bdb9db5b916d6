// Points walk from noise to one class, with guidance. The arithmetic is that of guidance_slider.py.
const { centres, labels, std, starts, first, steps, when: spans, limit } = fig.data;
const axes = [0, 1];
const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const meanOf = (points) => axes.map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);

const guess = (x, alpha, sigma, blobs) => {
  const spread = (alpha * std) ** 2 + sigma ** 2;
  const weights = fig.softmax(blobs.map((c) => -((x[0] - alpha * c[0]) ** 2 + (x[1] - alpha * c[1]) ** 2) / (2 * spread)));
  const gain = (alpha * std * std) / spread;
  return axes.map((axis) => {
    const mean = weights.reduce((sum, weight, i) => sum + weight * blobs[i][axis], 0);
    return mean + gain * (x[axis] - alpha * mean);
  });
};

const ownOf = (wanted) => centres.filter((_, i) => labels[i] === wanted);

const endOf = (start, scale, when, own) => {
  const [low, high] = spans[when];
  let x = start;
  for (let step = 0; step < steps; step += 1) {
    const [a, b] = [first * (1 - step / steps), first * (1 - (step + 1) / steps)];
    const [alpha, sigma, share] = [Math.cos(a), Math.sin(a), a / (Math.PI / 2)];
    let x0 = guess(x, alpha, sigma, own);
    if (scale !== 1 && low <= share && share <= high) {
      const [withLabel, other] = [x0, guess(x, alpha, sigma, centres)];
      x0 = axes.map((i) => other[i] + scale * (withLabel[i] - other[i]));
    }
    const now = x;
    x = axes.map((i) => Math.cos(b) * x0[i] + (Math.sin(b) * (now[i] - alpha * x0[i])) / sigma);
  }
  return x;
};

const find = (scale, when, wanted) => {
  const own = ownOf(wanted);
  const ends = starts.map((start) => endOf(start, scale, when, own));
  const nearest = ends.map((end) => {
    const far = centres.map((centre) => distance(end, centre));
    return far.indexOf(Math.min(...far));
  });
  const [trueMiddle, middle] = [meanOf(own), meanOf(ends)];
  const meanSquare = (points, from) => points.reduce((sum, point) => sum + distance(point, from) ** 2, 0) / points.length;
  return {
    ends,
    share: nearest.filter((i) => labels[i] === wanted).length / ends.length,
    spread: Math.sqrt(meanSquare(ends, middle)),
    true: Math.sqrt(meanSquare(own, trueMiddle) + 2 * std * std),
    gap: distance(middle, trueMiddle),
  };
};

const say = (found, scale, when, wanted) =>
  `Class ${wanted}, scale ${scale}, guidance on: ${when}. ${fig.number(100 * found.share, 0)} % of the points are nearest to the class. ` +
  `Their spread is ${fig.number(found.spread)}, that of the class ${fig.number(found.true)}; their middle is ${fig.number(found.gap)} from its middle.`;

const DOT = "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z";
const LEGEND = [
  ["data", DOT, "wanted class"],
  ["noise", DOT, "no guidance"],
  ["prediction", DOT, "guided"],
];

fig.show((width) => {
  const side = Math.min(width, 460);
  const top = 34;
  const svg = fig.svg(width, top + side);
  const left = (width - side) / 2;
  LEGEND.forEach(([idea, d, text], i) => {
    const x = left + 8 + (i * side) / 3;
    fig.add(svg, "path", { d, fill: `var(--fig-${idea})`, transform: `translate(${x} 12)` });
    fig.add(svg, "text", { x: x + 9, y: 16.5 }, text);
  });
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
  return ({ scale, when, wanted }) => {
    const found = find(scale, when, wanted);
    rings.forEach(([label, ring]) => fig.put(ring, { opacity: label === wanted ? 0.3 : 0.1 }));
    fig.put(plain, { d: dots(starts.map((start) => endOf(start, 1, "always", ownOf(wanted))), 2) });
    fig.put(guided, { d: dots(found.ends, 2.6) });
    return { sentence: say(found, scale, when, wanted), numbers: { ...found, ends: found.ends.flat() } };
  };
});
