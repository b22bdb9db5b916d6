// Numbers from a seed, the same in Python. Twins: page_uniform and page_noise of attnoise.figures.studio.

// The index-th number of a seed, above 0 and below 1: mulberry32.
export const uniform = (seed, index) => {
  const state = (seed + Math.imul(index + 1, 0x6d2b79f5)) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
  return (((mixed ^ (mixed >>> 14)) >>> 0) + 0.5) / 2 ** 32;
};

// `count` numbers of standard noise: Box-Muller.
export const pageNoise = (seed, count) =>
  Float32Array.from({ length: count }, (_, i) => Math.sqrt(-2 * Math.log(uniform(seed, 2 * i))) * Math.cos(2 * Math.PI * uniform(seed, 2 * i + 1)));
