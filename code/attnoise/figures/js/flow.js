// The velocity u = eps - x0 of the linear path, and x0 from it.
// Twins: attnoise.diffusion.make_target and to_x0 with the target "u".

export const toVelocity = (x_t, x0_hat, t) => x_t.map((part, i) => (part - x0_hat[i]) / t);

export const fromVelocity = (x_t, u, t) => x_t.map((part, i) => part - t * u[i]);
