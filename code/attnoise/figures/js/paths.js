// Paths x_t = alpha x0 + sigma eps. Twins: attnoise.diffusion.LinearPath, TrigPath and add_noise.
// A path is {T, levels(t)}; levels are [alpha, sigma].

export const linearPath = { T: 1, levels: (t) => [1 - t, t] };

// alpha = cos t, written so that it is exactly 0 at T.
export const trigPath = { T: Math.PI / 2, levels: (t) => [Math.sin(Math.PI / 2 - t), Math.sin(t)] };

// A schedule that is known at some times only.
export const tabledPath = (times, alpha, sigma) => ({
  T: times[times.length - 1],
  levels: (t) => [alpha[times.indexOf(t)], sigma[times.indexOf(t)]],
});

export const addNoise = (x0, eps, [alpha, sigma]) => x0.map((part, i) => alpha * part + sigma * eps[i]);
