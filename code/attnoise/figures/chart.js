// Charts of recorded numbers: one set of panels for each combination of the controls.
import { bars, barsHeight } from "./js/bars.js";
import { jsonOf } from "./js/content.js";
import { curves, curvesHeight } from "./js/curves.js";
import { heat, pictures, picturesHeight } from "./js/squares.js";

const { shared, frames } = jsonOf(fig.data.panels);
const panelsAt = (index) => shared.map((panel, i) => ({ ...panel, ...frames[index][i] }));
const isSquare = ({ kind, count }) => kind === "heat" || (kind === "pictures" && count === 1);
const DRAW = { bars, curves, heat, pictures };
const HEIGHT = { bars: barsHeight, curves: curvesHeight, pictures: picturesHeight };
const [BETWEEN, SQUARE_LEAST, SQUARE_MOST] = [14, 96, 200];

// Squares stand beside each other, and the panel after them too where there is room; others below.
const arrange = (panels, width) => {
  const boxes = [];
  const squares = panels.filter(isSquare).length;
  const most = Math.max(1, Math.min(squares, Math.floor((width + BETWEEN) / (SQUARE_LEAST + BETWEEN))));
  const columns = Math.ceil(squares / Math.ceil(squares / most));
  const side = Math.min(SQUARE_MOST, (width + BETWEEN) / columns - BETWEEN);
  const used = squares * (side + BETWEEN);
  let [y, seen] = [0, 0];
  for (const panel of panels) {
    const tall = isSquare(panel) ? side + 44 : HEIGHT[panel.kind](panel, width);
    if (isSquare(panel)) {
      boxes.push({ x: (seen % columns) * (side + BETWEEN), y, width: side, height: tall, side });
      seen += 1;
      if (seen === squares || seen % columns === 0) y += tall + BETWEEN;
    } else if (boxes.length && seen === boxes.length && width - used >= 220) {
      boxes.push({ x: used + BETWEEN, y: y - side - 44 - BETWEEN, width: width - used - BETWEEN, height: side + 44 });
    } else {
      boxes.push({ x: 0, y, width, height: tall });
      y += tall + BETWEEN;
    }
  }
  return { boxes, height: y };
};

const numbersOf = (panel) => [...(panel.rows ?? []).flatMap(({ values }) => values), ...(panel.cells ?? []).flat()];

fig.show((width) => {
  const svg = fig.svg(width, width);
  const all = frames.map((_, index) => arrange(panelsAt(index), width));
  fig.grow(svg, Math.max(...all.map(({ height }) => height)));
  return () => {
    const at = fig.places().reduce((index, step, i) => index * (controls[i].last + 1) + step, 0);
    const panels = panelsAt(at);
    svg.replaceChildren();
    panels.forEach((panel, i) => DRAW[panel.kind](fig, svg, panel, all[at].boxes[i]));
    return { sentence: fig.data.sentences[at], numbers: { values: panels.flatMap(numbersOf) } };
  };
});
