// Samplers of one point. Twins: euler_sample, heun_sample, ddpm_sample, ddim_sample and
// dpm_solver_sample of attnoise.diffusion. Each is called as sampler(denoiser, x_T, path,
// {timesteps, ...}) and returns a list of steps {t, x, x0_hat}; noise is handed in, a vector a step.

// How the time is written: z = x / scale moves along a straight line where the velocity is constant.
export const PARAMETRISATIONS = {
  ve: { scale: ([alpha]) => alpha, time: ([alpha, sigma]) => sigma / alpha, velocity: (x0, eps) => eps },
  flow: { scale: ([alpha, sigma]) => alpha + sigma, time: ([alpha, sigma]) => sigma / (alpha + sigma), velocity: (x0, eps) => eps - x0 },
  trig: {
    scale: ([alpha, sigma]) => Math.hypot(alpha, sigma),
    time: ([alpha, sigma]) => Math.atan2(sigma, alpha),
    velocity: (x0, eps, [alpha, sigma]) => (alpha * eps - sigma * x0) / Math.hypot(alpha, sigma),
  },
};

const epsHat = (x, x0_hat, [alpha, sigma]) => x.map((part, i) => (part - alpha * x0_hat[i]) / sigma);

const velocityAt = (x, x0_hat, levels, { velocity }) => {
  const eps_hat = epsHat(x, x0_hat, levels);
  return x0_hat.map((part, i) => velocity(part, eps_hat[i], levels));
};

const follow = (x, u, now, then, { scale, time }) => {
  const span = time(then) - time(now);
  return x.map((part, i) => scale(then) * (part / scale(now) + span * u[i]));
};

// One step of Euler's method between two levels [alpha, sigma].
export const eulerStep = (x, x0_hat, now, then, parametrisation) => {
  const form = PARAMETRISATIONS[parametrisation];
  return follow(x, velocityAt(x, x0_hat, now, form), now, then, form);
};

// take(x, x0_hat, step) makes the next x; a step knows its times t and s and the levels there.
const sample = (denoiser, x_T, path, timesteps, take) => {
  let x = x_T;
  return timesteps.slice(1).map((s, i) => {
    const t = timesteps[i];
    const x0_hat = denoiser(x, t);
    x = take(x, x0_hat, { i, t, s, now: path.levels(t), then: path.levels(s) });
    return { t: s, x, x0_hat };
  });
};

export const eulerSample = (denoiser, x_T, path, { timesteps, parametrisation = "trig" }) =>
  sample(denoiser, x_T, path, timesteps, (x, x0_hat, { now, then }) => eulerStep(x, x0_hat, now, then, parametrisation));

export const heunSample = (denoiser, x_T, path, { timesteps, parametrisation = "ve" }) => {
  const form = PARAMETRISATIONS[parametrisation];
  return sample(denoiser, x_T, path, timesteps, (x, x0_hat, { s, now, then }) => {
    const start = velocityAt(x, x0_hat, now, form);
    const euler = follow(x, start, now, then, form);
    if (!(then[1] > 0)) return euler; // no noise is left to see
    const end = velocityAt(euler, denoiser(euler, s), then, form);
    return follow(x, start.map((u, i) => (u + end[i]) / 2), now, then, form);
  });
};

export const ddpmSample = (denoiser, x_T, path, { timesteps, noise }) =>
  sample(denoiser, x_T, path, timesteps, (x, x0_hat, { i, now: [alpha, sigma], then: [alpha_s, sigma_s] }) => {
    const ratio = alpha / alpha_s;
    const added = sigma ** 2 - (ratio * sigma_s) ** 2; // variance of the forward noise from s to t
    const std = (Math.sqrt(added) * sigma_s) / sigma;
    const mean = x.map((part, axis) => (alpha_s * added * x0_hat[axis] + ratio * sigma_s ** 2 * part) / sigma ** 2);
    return mean.map((part, axis) => part + (std > 0 ? std * noise[i][axis] : 0));
  });

export const ddimSample = (denoiser, x_T, path, { timesteps, eta = 0, noise = [] }) =>
  sample(denoiser, x_T, path, timesteps, (x, x0_hat, { i, now, then }) => {
    const [[alpha, sigma], [alpha_s, sigma_s]] = [now, then];
    const fresh = ((eta * sigma_s) / sigma) * Math.sqrt(sigma ** 2 - ((alpha / alpha_s) * sigma_s) ** 2);
    const kept = Math.sqrt(Math.max(sigma_s ** 2 - fresh ** 2, 0));
    const eps_hat = epsHat(x, x0_hat, now);
    return x0_hat.map((part, axis) => alpha_s * part + kept * eps_hat[axis] + (fresh > 0 ? fresh * noise[i][axis] : 0));
  });

export const dpmSolverSample = (denoiser, x_T, path, { timesteps }) => {
  let [before, shrunkBefore] = [null, 1]; // the last x0_hat, and e^{-h} of its step
  return sample(denoiser, x_T, path, timesteps, (x, x0_hat, { now: [alpha, sigma], then: [alpha_s, sigma_s] }) => {
    const shrunk = (alpha * sigma_s) / (alpha_s * sigma); // e^{-h}
    let D = x0_hat;
    if (before && shrunk > 0 && shrunkBefore > 0) {
      const half = Math.log(shrunk) / Math.log(shrunkBefore) / 2; // 1 / (2r)
      D = x0_hat.map((part, i) => (1 + half) * part - half * before[i]);
    }
    [before, shrunkBefore] = [x0_hat, shrunk];
    return x.map((part, i) => (sigma_s / sigma) * part - alpha_s * (shrunk - 1) * D[i]);
  });
};

// A solver's falling times: even steps from the first to 0.
export const evenTimes = (first, steps) => Array.from({ length: steps + 1 }, (_, i) => first * (1 - i / steps));
