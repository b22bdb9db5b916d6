// Twins: torch.lerp, and attnoise.figures.between.

export const lerp = (a, b, weight) => a.map((part, i) => part + weight * (b[i] - part));

// Between four corners: u to the right, v down, both from 0 to 1.
export const between = ([a, b, c, d], u, v) => lerp(lerp(a, b, u), lerp(c, d, u), v);

// Where a sampler's point is at time t, on the straight line between two of its steps.
export const atTime = (steps, x_T, T, t) => {
  const stops = [{ t: T, x: x_T }, ...steps];
  const next = Math.max(1, stops.findIndex((stop) => stop.t <= t));
  const [before, after] = [stops[next - 1], stops[next]];
  return lerp(before.x, after.x, (before.t - t) / (before.t - after.t));
};
