// Digits at one step of the reverse process.
const [steps, count, height, width] = fig.data.shape;
const SHADES = 16;

const rows = fig.data.rows.map(({ label, idea, pixels }) => {
  const bytes = Uint8Array.from(atob(pixels.slice(pixels.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
  const size = count * height * width;
  return { label, idea, at: (step) => bytes.subarray(step * size, (step + 1) * size) };
});
const final = rows[0].at(steps - 1);

const distance = (pixels) => {
  const squares = pixels.reduce((sum, grey, i) => sum + (grey - final[i]) ** 2, 0);
  return Math.sqrt(squares / pixels.length) / 127.5;
};

// One path per shade holds all pixels of that shade: sixteen elements instead of a thousand.
const shades = (svg, idea) => Array.from({ length: SHADES }, (_, i) => fig.add(svg, "path", { fill: `var(--fig-${idea})`, "fill-opacity": (i + 1) / SHADES, "shape-rendering": "crispEdges" }));

const paths = (pixels, corner, side) => {
  const parts = Array.from({ length: SHADES + 1 }, () => []);
  pixels.forEach((grey, i) => {
    const [x, y] = corner(Math.floor(i / (height * width)));
    const inside = i % (height * width);
    parts[Math.round((grey / 255) * SHADES)].push(`M${x + (inside % width) * side} ${y + Math.floor(inside / width) * side}h${side}v${side}h-${side}z`);
  });
  return parts.slice(1).map((squares) => squares.join(""));
};

fig.show((room) => {
  const columns = Math.min(count, room < 480 ? 8 : fig.data.columns);
  const lines = Math.ceil(count / columns);
  const gap = 6;
  const side = Math.max(1, Math.floor(((room + gap) / columns - gap) / width * 2) / 2);
  const [across, down] = [side * width + gap, side * height + gap];
  const head = rows.some((row) => row.label) ? 24 : 0;
  const block = head + lines * down + 6;
  const svg = fig.svg(room, rows.length * block);
  const painters = rows.map((row, r) => {
    const top = r * block + head;
    if (row.label) fig.add(svg, "text", { x: 0, y: top - 8, style: `fill: var(--fig-${row.idea}); font-weight: 600` }, row.label);
    const corner = (index) => [(index % columns) * across, top + Math.floor(index / columns) * down];
    const layers = shades(svg, "ink");
    return (step) => paths(row.at(step), corner, side).forEach((d, i) => fig.put(layers[i], { d }));
  });
  return ({ t }) => {
    const [step] = fig.places();
    painters.forEach((paintRow) => paintRow(step));
    const distances = rows.map((row) => distance(row.at(step)));
    const [sample, prediction] = distances.map((far) => fig.number(far, 1));
    const state = step === steps - 1 ? "the digits are done" : "digits are forming";
    const sentence = rows.length === 1
      ? `Step ${step} of ${steps - 1}, t = ${t}: ${state}.`
      : `t = ${t}: a pixel of the samples is typically ${sample} from its final grey, a pixel of the predictions ${prediction}.`;
    return { sentence, numbers: { distances } };
  };
});
