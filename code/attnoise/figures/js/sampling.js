// Sampling parameters and a draw. Twins: attnoise.transformers.reshape_distribution, and
// torch.searchsorted in the summed probabilities.
import { softmax } from "./softmax.js";

// The numbers of all entries, the largest first; of equals the first.
export const ranked = (values) => Array.from(values, (_, i) => i).sort((i, j) => values[j] - values[i] || i - j);

const divided = (p) => {
  const total = p.reduce((sum, part) => sum + part, 0);
  return p.map((part) => part / total);
};

// Keep the likeliest tokens for as long as keep(rank, what is likelier in all) holds.
const keepFirst = (p, keep) => {
  const kept = p.map(() => 0);
  let before = 0;
  ranked(p).forEach((i, rank) => {
    if (keep(rank, before)) kept[i] = p[i];
    before += p[i];
  });
  return divided(kept);
};

// Probabilities of the next token, sharpened by the temperature (0 is greedy) and cut by top-k,
// top-p and min-p, in this order; null leaves one out.
export const reshapeDistribution = (logits, { temperature = 1, topK = null, topP = null, minP = null } = {}) => {
  const top = Math.max(...logits);
  if (temperature === 0) return Array.from(logits, (_, i) => +(i === logits.indexOf(top)));
  let p = softmax(Array.from(logits, (logit) => (logit - top) / temperature));
  if (topK !== null) p = keepFirst(p, (rank) => rank < topK);
  if (topP !== null) p = keepFirst(p, (rank, before) => before < topP);
  if (minP !== null) {
    const least = minP * Math.max(...p);
    p = p.map((part) => (part >= least ? part : 0));
  }
  return divided(p);
};

// The token that a number in [0, 1) draws: the first at which the sum of probabilities passes it.
export const draw = (p, number) => {
  let [sum, last] = [0, 0];
  for (let i = 0; i < p.length; i += 1) {
    if (p[i] > 0) last = i; // rounding may leave the sum a little below 1
    sum += p[i];
    if (number < sum) return i;
  }
  return last;
};
