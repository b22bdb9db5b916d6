// Lines over one axis; their dashes tell them apart, not their colours alone.
import { heading, rulesAcross, ticks } from "./axes.js";

const DASHES = [["none", "M-9 -1h18v2h-18z"], ["8 5", "M-9 -1h7v2h-7zM2 -1h7v2h-7z"], ["2 4", "M-9 -1h3v2h-3zM-2 -1h3v2h-3zM5 -1h3v2h-3z"]];

export const curvesHeight = (panel) => 230 + 22 * panel.rows.length;
export const curves = (fig, parent, panel, { x, y, width, height }) => {
  const { rows, x: places, most } = panel;
  const names = rows.map(({ tone, name }, i) => [tone, DASHES[i % DASHES.length][1], name]);
  const [left, right, bottom] = [x + 38, x + width - 8, y + height - 44];
  const top = heading(fig, parent, panel, names, x, y, width) + 8;
  const down = (value) => bottom - ((bottom - top) * value) / most;
  const [first, last] = [places[0], places[places.length - 1]];
  const across = (place) => left + ((right - left) * (place - first)) / (last - first);
  rulesAcross(fig, parent, 0, most, down, left, right);
  for (const place of ticks(first, last, width < 480 ? 4 : 6)) fig.add(parent, "text", { x: across(place), y: bottom + 18, "text-anchor": "middle" }, String(place));
  fig.add(parent, "text", { x: right, y: bottom + 38, "text-anchor": "end" }, panel.across);
  rows.forEach(({ tone, values }, i) => {
    const d = `M${values.map((value, k) => `${across(places[k]).toFixed(1)} ${down(value).toFixed(1)}`).join("L")}`;
    fig.add(parent, "path", { d, fill: "none", stroke: `var(--fig-${tone})`, "stroke-width": 2.2, "stroke-dasharray": DASHES[i % DASHES.length][0] });
  });
};
