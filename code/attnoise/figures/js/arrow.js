// An arrow in an svg: a shaft, and a head that turns with it. Returns a function that points it.
export const arrow = (fig, parent, colour, width) => {
  const group = fig.add(parent, "g", { stroke: colour, fill: colour, "stroke-linejoin": "round" });
  const shaft = fig.add(group, "line", { "stroke-width": width });
  const head = fig.add(group, "path", {});
  return (x0, y0, x, y, opacity = 1) => {
    const long = Math.hypot(x - x0, y - y0);
    const [ux, uy] = long ? [(x - x0) / long, (y - y0) / long] : [1, 0];
    const size = Math.min(11, long);
    const [bx, by] = [x - ux * size, y - uy * size];
    const side = size * 0.42;
    fig.put(group, { opacity });
    fig.put(shaft, { x1: x0, y1: y0, x2: bx, y2: by });
    fig.put(head, { d: `M${x} ${y}L${bx - uy * side} ${by + ux * side}L${bx + uy * side} ${by - ux * side}Z` });
  };
};
