"""Consistency models: a student learns to reach in one step what its teacher reaches in many.

Along one path of the probability-flow ODE all points lead to the same sample. A consistency model
f(x_t, t) predicts that sample from any of them. It is trained so that neighbouring points agree,
and so built that at t = 0 it returns its input.
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import ConfigError
from .denoisers import Denoiser
from .numerics import append_dims, batch_of, check_samples, float_dtype, noise_like, widen
from .paths import Path, level_pairs
from .process import add_noise
from .samplers import Step, sampler
from .timesteps import check_timesteps


def consistency_loss(
    student: Denoiser,
    ema_student: Denoiser,
    teacher: Denoiser,
    x0: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, ""]:
    """Return the consistency distillation loss: match f(x_t, t) to the EMA student at x_s.

    E || f(x_t, t) - f_ema(x_s, s) ||^2, x_s = alpha_s x0_hat + sigma_s eps_hat, one step of DDIM
    by the teacher, from t to the next time s

    Args:
        student: f; at t = 0 it must return its input, as a `PreconditionedDenoiser` does.
        ema_student: The same with an exponential moving average of the student's weights. No
            gradient reaches it.
        teacher: A trained denoiser, on the same path.
        x0: Clean samples.
        path: The path to noise that all three know.
        generator: Where times and noise come from.
        timesteps: Falling times that end at 0; t is drawn from all but the last.
        label: One class per sample, or None.

    Raises:
        ConfigError: The timesteps do not fall to 0.
        ShapeError: x0 is not floating.
        DataError: x0 holds NaN or infinity, or is not scaled (looked at on the CPU alone).

    Source: Song et al. 2023, algorithm 2, arXiv:2303.01469. Differs: a step of DDIM instead of
        Heun's, and the squared error instead of LPIPS.
    """
    times = check_timesteps(timesteps, path)
    if times[-1] != 0:
        raise ConfigError(
            f"timesteps must end at 0, where the answer is known, but they end at {times[-1]}."
        )
    check_samples("x0", x0)
    device = x0.device if generator is None else generator.device
    place = torch.randint(len(times) - 1, (len(x0),), generator=generator, device=device)
    grid = torch.tensor(times, dtype=float_dtype(x0.device), device=x0.device)
    t, s = grid[place.to(x0.device)], grid[place.to(x0.device) + 1]
    x_t = add_noise(x0, t, noise_like(x0, generator), path)
    with torch.no_grad():
        x_s = _ddim_step(teacher, path, x_t, t, s, label)
        wanted = ema_student(x_s, s, label)
    return (widen(student(x_t, t, label)) - widen(wanted)).square().mean()


def _ddim_step(
    teacher: Denoiser,
    path: Path,
    x_t: Float[Tensor, "b *axes"],
    t: Float[Tensor, " b"],
    s: Float[Tensor, " b"],
    label: Int[Tensor, " b"] | None,
) -> Float[Tensor, "b *axes"]:
    (alpha, sigma), (alpha_s, sigma_s) = (
        [append_dims(level, widen(x_t)) for level in path.levels(time)] for time in (t, s)
    )
    x0_hat = teacher(x_t, t, label)
    x_s = alpha_s * x0_hat + sigma_s * (x_t - alpha * x0_hat) / sigma
    return x_s.to(x_t.dtype)


@sampler()
def consistency_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
) -> Iterator[Step]:
    """Sample with a consistency model: predict x0 in one step, add fresh noise, predict again.

    x_s = alpha_s f(x_t, t) + sigma_s z, z standard normal; at s = 0 the samples

    Args:
        denoiser: A consistency model f, called as denoiser(x_t, t, label).
        x_T: Noise to start from, standard normal where the path ends.
        path: The noise schedule, or another path to noise.
        generator: Where fresh noise comes from.
        timesteps: Falling times; (T, 0) is one step, (T, t, 0) two.
        label: One class per sample, handed to the denoiser.

    Yields:
        A `Step` after each prediction.

    Raises:
        ConfigError: The timesteps do not fall.

    Source: Song et al. 2023, algorithm 1, arXiv:2303.01469.
    """
    x = x_T
    for now, then in level_pairs(path, timesteps):
        x0_hat = denoiser(x, batch_of(now.t, x), label)
        x = then.alpha * x0_hat
        if then.sigma > 0:
            x = x + then.sigma * noise_like(x, generator)
        yield Step(then.t, x, x0_hat)
