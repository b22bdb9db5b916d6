// From drawn lines to an image as MNIST has them. Twin: attnoise.figures.mnist_like.

// Pixels: side of the image, of the digit's box in it, and half a line's width.
export const [SIDE, BOX, PEN] = [28, 20, 1.15];

// How dark each pixel is: 1 within the pen's reach, falling to 0 over one pixel.
const spreadInk = (lines) => {
  const nearest = new Float64Array(SIDE * SIDE).fill(Infinity);
  for (const line of lines) {
    const ends = line.length > 1 ? line.slice(1) : line;
    ends.forEach(([bx, by], i) => {
      const [ax, ay] = line[i];
      const [dx, dy] = [bx - ax, by - ay];
      const square = Math.max(dx * dx + dy * dy, 1e-12);
      for (let k = 0; k < nearest.length; k += 1) {
        const [ox, oy] = [(k % SIDE) + 0.5 - ax, Math.floor(k / SIDE) + 0.5 - ay];
        const where = Math.min(1, Math.max(0, (ox * dx + oy * dy) / square));
        nearest[k] = Math.min(nearest[k], Math.hypot(ox - where * dx, oy - where * dy));
      }
    });
  }
  return nearest.map((far) => Math.min(1, Math.max(0, PEN + 0.5 - far)));
};

// The drawing as MNIST sets its digits: in a box of 20 pixels, centred by its mass.
export const mnistLike = (lines) => {
  const points = lines.flat();
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  const [low, high] = [[Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]];
  const scale = (BOX - 2 * PEN) / Math.max(high[0] - low[0], high[1] - low[1], BOX / 3);
  const set = lines.map((line) => line.map((p) => p.map((v, i) => (v - (low[i] + high[i]) / 2) * scale + SIDE / 2)));
  const ink = spreadInk(set);
  let [total, mx, my] = [0, 0, 0];
  ink.forEach((v, k) => { total += v; mx += v * ((k % SIDE) + 0.5); my += v * (Math.floor(k / SIDE) + 0.5); });
  const move = [SIDE / 2 - mx / total, SIDE / 2 - my / total];
  return Float32Array.from(spreadInk(set.map((line) => line.map((p) => p.map((v, i) => v + move[i])))), (v) => 2 * v - 1);
};
