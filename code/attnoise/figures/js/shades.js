// Grey pictures in an svg, in the colour of ink: they follow a light and a dark page.
const SHADES = 16;

// One path per shade holds all pixels of that shade: sixteen elements instead of a thousand.
export const shadesOn = (fig, svg) => Array.from({ length: SHADES }, (_, i) => fig.add(svg, "path", { fill: "var(--fig-ink)", "fill-opacity": (i + 1) / SHADES, "shape-rendering": "crispEdges" }));

// pixels: pictures one after the other, 0 to 255; corner(i): where the i-th lies; side: of a pixel.
export const paintShades = (fig, layers, pixels, [height, width], corner, side) => {
  const parts = Array.from({ length: SHADES + 1 }, () => []);
  pixels.forEach((grey, i) => {
    const [x, y] = corner(Math.floor(i / (height * width)));
    const inside = i % (height * width);
    parts[Math.round((grey / 255) * SHADES)].push(`M${x + (inside % width) * side} ${y + Math.floor(inside / width) * side}h${side}v${side}h-${side}z`);
  });
  parts.slice(1).forEach((squares, i) => fig.put(layers[i], { d: squares.join("") }));
};
