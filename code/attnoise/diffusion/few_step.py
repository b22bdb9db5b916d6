"""One step or two: a student learns to jump where its teacher walks.

Along one path of the probability-flow ODE all points lead to the same sample. A consistency model
f(x_t, t) names that sample from any of them. It is taught that neighbours agree, and that at t = 0
it answers what it sees; from these two the whole jump follows.
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import ConfigError, DataError
from .denoisers import Denoiser
from .grids import check_falling
from .paths import Path
from .process import add_noise, like, noise_like
from .samplers import Step


def consistency_loss(
    student: Denoiser,
    target: Denoiser,
    teacher: Denoiser,
    x0: Float[Tensor, "b *axes"],
    path: Path,
    times: Sequence[float | int],
    generator: torch.Generator | None = None,
    *,
    label: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, ""]:
    """Let the student say at one time what a slow copy of it says one step of the teacher later.

    E || f(x_t, t) - f_slow(x_s, s) ||^2, x_s = alpha_s x0_hat + sigma_s eps_hat, the teacher's
    guesses at x_t: one step of DDIM, from t to the next time s

    Args:
        student: f; at t = 0 it must answer what it sees, as a `PreconditionedDenoiser` does.
        target: The same with a moving average of the student's weights. No gradient reaches it.
        teacher: A trained denoiser, on the same path.
        x0: Clean samples.
        path: The path to noise that all three know.
        times: Falling times that end at 0; t is drawn from all but the last.
        generator: Where times and noise come from.
        label: One class per sample, or None.

    Raises:
        ConfigError: The times do not fall to 0.
        DataError: x0 holds NaN or infinity.

    Source: Song et al. 2023, algorithm 2, arXiv:2303.01469. Differs: a step of DDIM instead of
        Heun's, and the squared error instead of LPIPS.
    """
    grid = check_falling(times, path)
    if grid[-1] != 0:
        raise ConfigError(f"times must end at 0, where the answer is known, not at {grid[-1]}.")
    if not bool(torch.isfinite(x0).all()):
        raise DataError("x0 must be finite, but it holds NaN or infinity; clean the data first.")
    device = x0.device if generator is None else generator.device
    place = torch.randint(len(grid) - 1, (len(x0),), generator=generator, device=device)
    both = torch.tensor(grid, dtype=torch.float64, device=x0.device)
    t, s = both[place.to(x0.device)], both[place.to(x0.device) + 1]
    x_t = add_noise(x0, t, noise_like(x0, generator), path)
    with torch.no_grad():
        x_s = _ddim_step(teacher, path, x_t, t, s, label)
        wanted = target(x_s, s, label)
    return (student(x_t, t, label) - wanted).square().mean()


def _ddim_step(teacher: Denoiser, path: Path, x_t: Tensor, t: Tensor, s: Tensor, label) -> Tensor:
    (alpha, sigma), (alpha_s, sigma_s) = (
        [like(level, x_t) for level in path.levels(time)] for time in (t, s)
    )
    x0_hat = teacher(x_t, t, label)
    return alpha_s * x0_hat + sigma_s * (x_t - alpha * x0_hat) / sigma


def consistency_sample(
    denoiser: Denoiser,
    x_T: Float[Tensor, "b *axes"],
    path: Path,
    generator: torch.Generator | None = None,
    *,
    timesteps: Sequence[float | int],
    label: Int[Tensor, " b"] | None = None,
) -> Iterator[Step]:
    """Jump to the end, add fresh noise, jump again.

    x_s = alpha_s f(x_t, t) + sigma_s z, z standard normal; at s = 0 the samples

    Args:
        denoiser: A consistency model f, called as denoiser(x_t, t, label).
        x_T: Noise to start from, standard normal where the path ends.
        path: The noise schedule, or another path to noise.
        generator: Where fresh noise comes from.
        timesteps: Falling times; (T, 0) is one jump, (T, t, 0) two.
        label: One class per sample, handed to the denoiser.

    Yields:
        A `Step` after each jump.

    Raises:
        ConfigError: The timesteps do not fall.

    Source: Song et al. 2023, algorithm 1, arXiv:2303.01469.
    """
    return _jumps(denoiser, x_T, path, generator, check_falling(timesteps, path), label)


def _jumps(denoiser, x, path, generator, times, label) -> Iterator[Step]:
    for now, then in zip(times[:-1], times[1:], strict=True):
        t, s = (
            torch.full(x.shape[:1], v, dtype=torch.float64, device=x.device) for v in (now, then)
        )
        with torch.no_grad():
            x0_hat = denoiser(x, t, label)
        x = x0_hat if then == 0 else add_noise(x0_hat, s, noise_like(x, generator), path)
        yield Step(then, x, x0_hat)
