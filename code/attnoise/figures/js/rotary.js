// Rotary positions. Twin: attnoise.attention.Rotary with layout "pairs".

// Angle between neighbouring positions in each pair of a vector of width k: base^(-2j / k).
export const rotaryAngles = (k, base) => Array.from({ length: k / 2 }, (_, j) => base ** ((-2 * j) / k));

// Turn each pair (2j, 2j + 1) of a vector by its angle times the position.
export const rotate = (x, position, base) => rotaryAngles(x.length, base).flatMap((angle, j) => {
  const [a, b] = [x[2 * j], x[2 * j + 1]];
  const [cos, sin] = [Math.cos(position * angle), Math.sin(position * angle)];
  return [a * cos - b * sin, a * sin + b * cos];
});
