// Digits at one step of the reverse process.
import { bytesOf } from "./js/content.js";
import { paintShades, shadesOn } from "./js/shades.js";

const [steps, count, height, width] = fig.data.shape;
const LEAST = 48; // pixels that an image is wide

const rows = fig.data.rows.map(({ label, idea, pixels }) => {
  const bytes = bytesOf(pixels);
  const size = count * height * width;
  return { label, idea, at: (step) => bytes.subarray(step * size, (step + 1) * size) };
});
const final = rows[0].at(steps - 1);

const distance = (pixels) => {
  const squares = pixels.reduce((sum, grey, i) => sum + (grey - final[i]) ** 2, 0);
  return Math.sqrt(squares / pixels.length) / 127.5;
};

fig.show((room) => {
  const gap = 6;
  const most = Math.max(1, Math.min(count, fig.data.columns, Math.floor((room + gap) / (LEAST + gap))));
  const lines = Math.ceil(count / most);
  const columns = Math.ceil(count / lines);
  const side = Math.max(1, Math.floor(((room + gap) / columns - gap) / width * 2) / 2);
  const [across, down] = [side * width + gap, side * height + gap];
  const head = 24;
  const block = head + lines * down + 6;
  const svg = fig.svg(room, rows.length * block);
  const painters = rows.map((row, r) => {
    const top = r * block + head;
    fig.add(svg, "text", { x: 0, y: top - 8, style: `fill: var(--fig-${row.idea}); font-weight: 600` }, row.label);
    const corner = (index) => [(index % columns) * across, top + Math.floor(index / columns) * down];
    const layers = shadesOn(fig, svg);
    return (step) => paintShades(fig, layers, row.at(step), [height, width], corner, side);
  });
  return ({ t }) => {
    const [step] = fig.places();
    painters.forEach((paintRow) => paintRow(step));
    const distances = rows.map((row) => distance(row.at(step)));
    const [sample, prediction] = distances.map((far) => fig.number(far, 1));
    const sentence = `t = ${t}: a pixel of the samples is typically ${sample} from its final grey, a pixel of the predictions ${prediction}.`;
    return { sentence, numbers: { distances } };
  };
});
