// Denoisers of one sample, called as denoiser(x_t, t); they return x0_hat.
// Twins: attnoise.diffusion.IdealDenoiser and GuidedDenoiser.
import { attention, dot } from "./attention.js";

// The exact denoiser of a data set, or with a std of a mixture of round Gaussians: attention of
// x_t over the data. denoiser.weights(x_t, t) are the attention weights.
export const idealDenoiser = (data, path, std = 0) => {
  const keys = data.map((x) => [...x, -dot(x, x) / 2]);
  const attend = (x_t, t) => {
    const [alpha, sigma] = path.levels(t);
    const variance = sigma ** 2 + (alpha * std) ** 2;
    return attention([...x_t.map((part) => (alpha * part) / variance), alpha ** 2 / variance], keys, data, 1);
  };
  const denoiser = (x_t, t) => {
    const mean = attend(x_t, t).output;
    if (!std) return mean;
    const [alpha, sigma] = path.levels(t);
    const gain = (alpha * std ** 2) / ((alpha * std) ** 2 + sigma ** 2);
    return mean.map((part, i) => part + gain * (x_t[i] - alpha * part));
  };
  return Object.assign(denoiser, { weights: (x_t, t) => attend(x_t, t).weights });
};

// other + guidanceScale (denoiser - other) while t / T lies in the interval; else the denoiser's.
export const guidedDenoiser = (denoiser, weak, guidanceScale, [low, high], T) => (x_t, t) => {
  const x0_hat = denoiser(x_t, t);
  if (guidanceScale === 1 || t / T < low || t / T > high) return x0_hat;
  const other = weak(x_t, t);
  return x0_hat.map((part, i) => other[i] + guidanceScale * (part - other[i]));
};
