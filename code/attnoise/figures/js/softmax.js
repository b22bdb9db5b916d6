// Twins: torch.softmax, and exp of torch.special.entr summed.

// Weights that grow with the scores and add to 1.
export const softmax = (scores) => {
  const top = Math.max(...scores); // subtracted, so that no exponential overflows
  const powers = scores.map((score) => Math.exp(score - top));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
};

// Perplexity of weights, exp(-sum w log w): over how many equal weights they would be so spread.
export const perplexity = (weights) => Math.exp(-weights.reduce((sum, w) => sum + (w > 0 ? w * Math.log(w) : 0), 0));
