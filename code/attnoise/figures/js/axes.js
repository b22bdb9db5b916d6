// What charts share: what stands above them, and the round numbers beside them.
import { legend } from "./legend.js";

// Round numbers from low to high, about as many as asked.
export const ticks = (low, high, count = 4) => {
  const least = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((part) => part * power).find((each) => each >= least * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => +((first + i) * step).toPrecision(6));
};

// Title, names of marks and the label of the upright axis, each on a line of its own, if it is there.
export const heading = (fig, parent, { title, label }, names, x, y, width) => {
  let low = y;
  if (title) fig.add(parent, "text", { x, y: (low += 22) - 7, style: "font-weight: 600" }, title);
  if (names.length) low += legend(fig, fig.add(parent, "g", { transform: `translate(0 ${low})` }), names, width, x);
  if (label) fig.add(parent, "text", { x, y: (low += 22) - 7 }, label);
  return low;
};

// Lines across at round numbers, with the numbers beside them.
export const rulesAcross = (fig, parent, low, high, down, x, right) => {
  for (const value of ticks(low, high)) {
    fig.add(parent, "path", { d: `M${x} ${down(value)}H${right}`, stroke: value === 0 ? "var(--fig-edge)" : "var(--fig-rule)" });
    fig.add(parent, "text", { x: x - 6, y: down(value) + 4.5, "text-anchor": "end" }, String(value));
  }
};
