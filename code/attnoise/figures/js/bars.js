// Bars beside each other, upright or level, each with its number where there is room for it.
import { heading, rulesAcross, ticks } from "./axes.js";

const SWATCH = "M-6 -6h12v12h-12z";
const toneOf = (panel, row, i) => panel.tones[i] ?? panel.rows[row].tone;
const keyOf = ({ key, rows }) => (key.length ? key : rows.length > 1 ? rows.map(({ tone, name }) => [tone, name]) : []).map(([tone, text]) => [tone, SWATCH, text]);

const upright = (fig, parent, panel, { x, y, width, height }) => {
  const { names, rows, most, digits } = panel;
  const [left, bottom] = [x + 38, y + height - 24];
  const top = heading(fig, parent, panel, keyOf(panel), x, y, width) + 16;
  const down = (value) => bottom - ((bottom - top) * value) / most;
  rulesAcross(fig, parent, 0, most, down, left, x + width);
  const pitch = (x + width - left) / names.length;
  const wide = Math.min(56, (0.84 * pitch) / rows.length);
  names.forEach((name, i) => {
    const middle = left + (i + 0.5) * pitch;
    fig.add(parent, "text", { x: middle, y: bottom + 18, "text-anchor": "middle", style: `fill: var(--fig-${panel.name_tone})` }, name);
    rows.forEach(({ values }, row) => {
      const start = middle + (row - rows.length / 2) * wide;
      fig.add(parent, "rect", { x: start + 1, y: down(values[i]), width: wide - 2, height: bottom - down(values[i]), fill: `var(--fig-${toneOf(panel, row, i)})` });
      if (wide > 34) fig.add(parent, "text", { x: start + wide / 2, y: down(values[i]) - 4, "text-anchor": "middle", class: "halo" }, fig.number(values[i], digits));
    });
  });
};

const LEVEL_ROW = 26;
const level = (fig, parent, panel, { x, y, width }) => {
  const { names, rows, most, digits } = panel;
  const top = heading(fig, parent, { title: panel.title }, keyOf(panel), x, y, width) + 4;
  const left = x + Math.min(0.4 * width, 14 + 7.4 * Math.max(...names.map((name) => name.length)));
  const across = (value) => left + ((x + width - left - 44) * value) / most;
  const bottom = top + names.length * LEVEL_ROW;
  for (const value of ticks(0, most)) {
    fig.add(parent, "path", { d: `M${across(value)} ${top}V${bottom}`, stroke: value === 0 ? "var(--fig-edge)" : "var(--fig-rule)" });
    fig.add(parent, "text", { x: across(value), y: bottom + 17, "text-anchor": "middle" }, String(value));
  }
  fig.add(parent, "text", { x: x + width, y: bottom + 38, "text-anchor": "end" }, panel.label);
  names.forEach((name, i) => {
    const value = rows[0].values[i];
    fig.add(parent, "text", { x: left - 8, y: top + i * LEVEL_ROW + 17, "text-anchor": "end", style: `fill: var(--fig-${panel.name_tone})` }, name);
    fig.add(parent, "rect", { x: left, y: top + i * LEVEL_ROW + 4, width: across(value) - left, height: LEVEL_ROW - 8, fill: `var(--fig-${toneOf(panel, 0, i)})` });
    fig.add(parent, "text", { x: across(value) + 6, y: top + i * LEVEL_ROW + 17, class: "halo" }, fig.number(value, digits));
  });
};

const headLines = (panel) => [panel.title, keyOf(panel).length, panel.label].filter(Boolean).length;
export const barsHeight = (panel) => (panel.level ? panel.names.length * LEVEL_ROW + 48 + 22 * (headLines(panel) - 1) : 190 + 22 * headLines(panel));
export const bars = (fig, parent, panel, box) => (panel.level ? level : upright)(fig, parent, panel, box);
