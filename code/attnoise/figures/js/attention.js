// Scaled dot-product attention of one query. Twin: attnoise.attention.attention.
import { softmax } from "./softmax.js";

export const dot = (a, b) => a.reduce((sum, part, i) => sum + part * b[i], 0);

// softmax(K q / sqrt(k)) V, with the scores and the weights that led there.
export const attention = (query, keys, values, scale = 1 / Math.sqrt(query.length)) => {
  const scores = keys.map((key) => scale * dot(query, key));
  const weights = softmax(scores);
  const output = values[0].map((_, axis) => weights.reduce((sum, weight, i) => sum + weight * values[i][axis], 0));
  return { output, weights, scores };
};
