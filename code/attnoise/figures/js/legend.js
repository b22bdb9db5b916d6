// Names with their marks at the head of an svg, in as many lines as the width asks for. Letters are
// taken as wide as they can be: a page may lend the text another face after it is laid out.
const [NAME_ROW, MARK_WIDE, LETTER_WIDE, NAME_GAP] = [22, 24, 7.2, 16];

// names: [colour of a mark, its path around 0 0, text, more attributes of the mark]
export const legend = (fig, svg, names, width, left = 0) => {
  let [x, y] = [left, 0];
  for (const [colour, d, text, more] of names) {
    const wide = MARK_WIDE + text.length * LETTER_WIDE;
    if (x > left && x + wide > left + width) [x, y] = [left, y + NAME_ROW];
    fig.add(svg, "path", { d, fill: `var(--fig-${colour})`, transform: `translate(${x + 10} ${y + 11})`, ...more });
    fig.add(svg, "text", { x: x + MARK_WIDE, y: y + 15.5 }, text);
    x += wide + NAME_GAP;
  }
  return y + NAME_ROW; // its height
};
