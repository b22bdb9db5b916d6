// Pictures and heat maps: what is as wide as it is high.
import { bytesOf } from "./content.js";
import { paintShades, shadesOn } from "./shades.js";

const TITLE_TALL = 20;
const TILE_GAP = 6;

const nameOn = (fig, parent, text, x, y) => fig.add(parent, "text", { x, y: y + 14 }, text);

// A number per cell: the further from zero, or from the least, the fuller the colour.
export const heat = (fig, parent, panel, { x, y, side }) => {
  const { cells, low, high, tone, under, unit } = panel;
  nameOn(fig, parent, panel.title, x, y);
  const [top, flat] = [y + TITLE_TALL, cells.flat()];
  const cell = side / cells[0].length;
  cells.forEach((row, i) => row.forEach((value, j) => {
    const part = value < 0 ? value / low : low < 0 ? value / high : (value - low) / (high - low);
    fig.add(parent, "rect", { x: x + j * cell, y: top + i * cell, width: cell + 0.3, height: cell + 0.3, fill: `var(--fig-${value < 0 ? under : tone})`, "fill-opacity": Math.max(0, Math.min(1, part)).toFixed(3) });
  }));
  fig.add(parent, "rect", { x: x + 0.5, y: top + 0.5, width: side - 1, height: side - 1, fill: "none", stroke: "var(--fig-edge)" });
  const [least, largest] = [Math.min(...flat), Math.max(...flat)].map((value) => fig.number(value, 1));
  fig.add(parent, "text", { x, y: top + side + 16, "font-size": 12 }, `${least} to ${largest}${unit}`);
};

// In how many columns and lines pictures stand, and how wide each is; no line is much shorter.
const TILE_LEAST = 48;
export const tiling = (count, width, widest) => {
  const most = Math.max(1, Math.min(count, Math.floor((width + TILE_GAP) / (TILE_LEAST + TILE_GAP))));
  const lines = Math.ceil(count / most);
  const columns = Math.ceil(count / lines);
  return { lines, columns, side: Math.min(widest, (width + TILE_GAP) / columns - TILE_GAP) };
};

// Pictures of one kind in a row, or in some where it is too long. Grey ones take the colour of ink.
export const picturesHeight = ({ count }, width, widest = 96) => {
  const { lines, side } = tiling(count, width, widest);
  return TITLE_TALL + lines * (side + TILE_GAP);
};
export const pictures = (fig, parent, panel, { x, y, width, side: widest = 96 }) => {
  const { columns, side } = tiling(panel.count, width, widest);
  nameOn(fig, parent, panel.title, x, y);
  const corner = (i) => [x + (i % columns) * (side + TILE_GAP), y + TITLE_TALL + Math.floor(i / columns) * (side + TILE_GAP)];
  const place = (i) => ({ x: corner(i)[0], y: corner(i)[1], width: side, height: side });
  if (panel.colour) {
    panel.images.forEach((href, i) => fig.add(parent, "image", { ...place(i), href, style: "image-rendering: pixelated" }));
  } else {
    paintShades(fig, shadesOn(fig, parent), bytesOf(panel.images[0]), panel.shape, corner, side / panel.shape[1]);
  }
  for (let i = 0; i < panel.count; i += 1) fig.add(parent, "rect", { ...place(i), fill: "none", stroke: "var(--fig-rule)" });
};
