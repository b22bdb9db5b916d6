// The parser that reads a picture back: attnoise.evaluation.picture_parser on a page. It takes its
// words and numbers from Python, as `facts`. The site puts the captions' module beside it.
import { objectText } from "./captions.js";

export { objectText };

const square = (x) => x * x;
const sum = (values) => values.reduce((total, value) => total + value, 0);
const range = (n) => Array.from({ length: n }, (_, i) => i);
const halfEven = (x) => (x - Math.floor(x) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)); // as Python rounds

// Whether a shape of radius 1 around the origin covers a point; y grows downwards.
const COVERS = {
  circle: (x, y) => x * x + y * y <= 1,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.88,
  triangle: (x, y) => y <= 1.15 / 2 && Math.sqrt(3) * Math.abs(x) - y <= 1.15,
  cross: (x, y) => Math.min(Math.abs(x), Math.abs(y)) <= 0.32 && Math.max(Math.abs(x), Math.abs(y)) <= 1,
  ring: (x, y) => x * x + y * y >= 0.25 && x * x + y * y <= 1,
};

// Every shape in many sizes and places, as the fraction of each pixel of a small square that it covers.
const makeTemplates = ({ shapes, half }) => {
  const [side, fine] = [2 * half + 1, 4];
  const radii = range(21).map((i) => 3 + 0.2 * i);
  const offsets = range(7).map((i) => -0.6 + 0.2 * i);
  const points = range(side * fine).map((i) => (i + 0.5) / fine);
  const templates = [];
  for (const shape of shapes) for (const radius of radii) for (const dx of offsets) for (const dy of offsets) {
    const [cx, cy] = [dx + side / 2, dy + side / 2];
    const cover = new Float32Array(side * side);
    points.forEach((py, i) => points.forEach((px, j) => {
      if (COVERS[shape]((px - cx) / radius, (py - cy) / radius)) cover[Math.floor(i / fine) * side + Math.floor(j / fine)] += 1 / (fine * fine);
    }));
    templates.push({ shape, radius, cx, cy, cover, weight: cover.reduce((total, v) => total + v * v, 0) });
  }
  return templates;
};

// Groups of marked pixels that touch, at corners too.
const connected = (mask, side) => {
  const owner = new Int32Array(mask.length);
  let count = 0;
  mask.forEach((marked, start) => {
    if (!marked || owner[start]) return;
    count += 1;
    owner[start] = count;
    const open = [start];
    while (open.length) {
      const k = open.pop();
      for (let dy = -1; dy <= 1; dy += 1) for (let dx = -1; dx <= 1; dx += 1) {
        const [x, y] = [(k % side) + dx, Math.floor(k / side) + dy];
        const next = y * side + x;
        if (x < 0 || y < 0 || x >= side || y >= side || !mask[next] || owner[next]) continue;
        owner[next] = count;
        open.push(next);
      }
    }
  });
  return { owner, count };
};

// A reader of pictures: channel by channel 3 x side x side numbers in [-1, 1] become the objects
// in them, from left to right, each with its middle; "?" is what is not clear.
export const makeReader = (facts) => {
  const { side, half, background, limits } = facts;
  const pixels = side * side;
  const paint = facts.colours.map((name) => facts.palette[name].map((v, k) => v - background[k]));
  let templates = null;

  return (image) => {
    templates ??= makeTemplates(facts);
    const light = Float32Array.from(image, (v, k) => (Math.min(1, Math.max(-1, v)) + 1) / 2 - background[Math.floor(k / pixels)]);
    const at = (k) => [light[k], light[k + pixels], light[k + 2 * pixels]];
    const strengths = paint.map((colour) => {
      const strength = sum(colour.map(square));
      return range(pixels).map((k) => Math.min(1, Math.max(0, sum(at(k).map((v, i) => v * colour[i])) / strength)));
    });
    const best = range(pixels).map((k) => {
      const far = paint.map((colour, c) => sum(at(k).map((v, i) => square(v - strengths[c][k] * colour[i]))));
      return far.indexOf(Math.min(...far));
    });
    const { owner, count } = connected(best.map((c, k) => strengths[c][k] >= limits.covered), side);

    const found = [];
    for (let number = 1; number <= count; number += 1) {
      const own = range(pixels).filter((k) => owner[k] === number);
      if (own.length < limits.least) continue;
      const votes = paint.map((_, c) => own.filter((k) => best[k] === c).length);
      const c = votes.indexOf(Math.max(...votes));
      const weight = sum(own.map((k) => square(strengths[c][k])));
      const hue = paint[c].map((_, i) => sum(own.map((k) => light[k + i * pixels] * strengths[c][k])) / weight);
      const known = Math.sqrt(sum(hue.map((v, i) => square(v - paint[c][i])))) <= limits.colour;
      const [x, y] = [(k) => k % side, (k) => Math.floor(k / side)].map((axis) => halfEven(sum(own.map(axis)) / own.length));
      const patch = range(square(2 * half + 1)).map((p) => {
        const [px, py] = [x - half + (p % (2 * half + 1)), y - half + Math.floor(p / (2 * half + 1))];
        const k = py * side + px;
        const inside = px >= 0 && py >= 0 && px < side && py < side;
        return inside && (owner[k] === 0 || owner[k] === number) ? strengths[c][k] : 0;
      });
      let [match, least] = [null, Infinity];
      for (const one of templates) {
        let error = 0;
        for (let p = 0; p < patch.length && error < least; p += 1) error += square(patch[p] - one.cover[p]);
        if (error < least) [match, least] = [one, error];
      }
      found.push({
        size: match.radius > limits.size ? "large" : "small",
        colour: known ? facts.colours[c] : "?",
        shape: least / match.weight <= limits.shape ? match.shape : "?",
        x: x - half + match.cx,
        y: y - half + match.cy,
      });
    }
    return found.sort((a, b) => a.x - b.x || a.y - b.y);
  };
};

// The first error: "" if nothing is, or "count", "colour", "shape", "size",
// "binding" or "relation".
export const scoreCaption = (caption, found) => {
  const same = (part) => {
    const sorted = (objects) => objects.map(part).sort().join();
    return sorted(caption.objects) === sorted(found);
  };
  if (caption.objects.length !== found.length) return "count";
  for (const kind of ["colour", "shape", "size"]) if (!same((object) => object[kind])) return kind;
  if (!same(objectText)) return "binding";
  if (caption.relation === null) return "";
  const first = found.find((object) => objectText(object) === objectText(caption.objects[0]));
  const second = found.find((object) => object !== first);
  const [right, down] = [second.x - first.x, second.y - first.y];
  const [across, along] = [right > 0 ? "left of" : "right of", down > 0 ? "above" : "below"];
  return caption.relation === (Math.abs(down) > Math.abs(right) ? along : across) ? "" : "relation";
};
