"""Drag the noise level and see a posterior mean move. `posterior_mean.js` draws it on the page."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ..diffusion import IdealDenoiser, Path, add_noise
from ..errors import ConfigError, ShapeError
from .controls import Control
from .explore import MovingFigure, live
from .figure_html import rounded
from .plane import check_finite, check_plane
from .plots import COLOURS

ENDS = (0.1, 0.2, 0.5, 1)  # of the axis of weights: it ends a little above the largest
NOISES = tuple(step / 10 for step in range(-25, 26))


def posterior_mean(
    data: Float[Tensor, "m 2"],
    x0: Float[Tensor, " 2"],
    schedule: Path,
    times: Sequence[int],
    *,
    start: int | None = None,
    eps: tuple[float, float] = (1.2, -0.8),
    title: str = "Drag the noise level, or the noisy point",
    alt: str | None = None,
) -> MovingFigure:
    """Build the figure in which a point is noised and the posterior mean of its origin moves.

    x_t = alpha x0 + sigma eps
    E[x0 | x_t] = sum_i w_i x_i,  w = softmax_i(-|x_t - alpha x_i|^2 / (2 sigma^2))

    Args:
        data: The data points x_i, about forty.
        x0: The point that is noised.
        schedule: The noise schedule, or another path to noise.
        times: The rising times t that the slider stops at, above 0 and at most T.
        start: The time at first; the middle one if not given.
        eps: The noise at first, each part a tenth from -2.5 to 2.5.
        title: The visible title.
        alt: What the figure shows; a text made from the data if not given.

    Raises:
        ShapeError: data or x0 do not lie in the plane.
        DataError: A coordinate is NaN or infinite.
        ConfigError: A time is 0 or beyond T, or start or eps is not on its slider.
    """
    check_plane("data", data)
    if tuple(x0.shape) != (2,):
        raise ShapeError(
            f"x0 must be a point in the plane, shape (2,), but its shape is {tuple(x0.shape)}."
        )
    check_finite("x0", x0)
    whole = [int(t) for t in times]
    if min(whole, default=0) <= 0:
        raise ConfigError(
            f"times must be above 0, where there is noise, but they are {whole}; leave t = 0 out."
        )
    alpha, sigma = schedule.levels(torch.tensor(whole))
    numbers = {
        "data": rounded(data),
        "x0": rounded(x0),
        "times": whole,
        "alpha": alpha.tolist(),
        "sigma": sigma.tolist(),
        "limit": round(max(2.6, 1.1 * float(data.abs().max())), 2),
    }
    denoiser = IdealDenoiser(torch.tensor(numbers["data"], dtype=torch.float64), schedule)
    first = whole[len(whole) // 2] if start is None else start
    return live(
        "posterior_mean",
        numbers,
        {
            "t": Control(label="Noise level t", values=whole, start=first, idea="noise"),
            "across": Control(
                label="Noise across", values=NOISES, start=eps[0], digits=1, idea="noise"
            ),
            "up": Control(label="Noise up", values=NOISES, start=eps[1], digits=1, idea="noise"),
        },
        lambda **where: draw(numbers, denoiser, where),
        lambda **where: describe(numbers, find(numbers, denoiser, **where), where["t"]),
        numbers=lambda **where: find(numbers, denoiser, **where),
        title=title,
        alt=alt
        or (
            f"{len(data)} data points in the plane, larger where their weight is larger; one point "
            "noised to level t; and the posterior mean, the weighted mean of the data, with its "
            "path over all noise levels. Beside them the weights as bars in falling order."
        ),
    )


def find(numbers: dict, denoiser: IdealDenoiser, *, t: int, across: float, up: float) -> dict:
    """Return the noisy point, the weights of the data, their mean and their perplexity."""
    eps = torch.tensor([[across, up]], dtype=torch.float64)
    x0, times = torch.tensor([numbers["x0"]], dtype=torch.float64), torch.tensor([t])
    x_t = add_noise(x0, times, eps, denoiser.path)
    weights = denoiser.weights(x_t, times)[0]
    return {
        "x_t": x_t[0].tolist(),
        "weights": weights.tolist(),
        "mean": denoiser(x_t, times)[0].tolist(),
        "perplexity": float(torch.special.entr(weights).sum().exp()),
    }


def describe(numbers: dict, found: dict, t: int) -> str:
    """Return the figure's sentence; the page's script writes the same."""
    level = numbers["times"].index(t)
    noisy, mean = (
        ", ".join(f"{part:.2f}".replace("-0.00", "0.00") for part in found[name])
        for name in ("x_t", "mean")
    )
    return (
        f"t = {t}, alpha {numbers['alpha'][level]:.2f}, sigma {numbers['sigma'][level]:.2f}: the "
        f"noisy point is ({noisy}), the posterior mean ({mean}). The largest weight is "
        f"{max(found['weights']):.2f}; the weights are as spread as over {found['perplexity']:.1f} "
        "equal points."
    )


def draw(numbers: dict, denoiser: IdealDenoiser, where: dict) -> Figure:
    """Draw the plane and the weights."""
    figure, (plane, bars) = plt.subplots(
        1, 2, figsize=(6.4, 3.9), width_ratios=(2, 1), layout="constrained"
    )
    found = find(numbers, denoiser, **where)
    path = [find(numbers, denoiser, **{**where, "t": t})["mean"] for t in numbers["times"]]
    plane.plot(*zip(*path, strict=True), color=COLOURS["prediction"], alpha=0.4, lw=1.5)
    plane.scatter(
        *zip(*numbers["data"], strict=True),
        s=[12 + 260 * weight for weight in found["weights"]],
        color=COLOURS["data"],
        alpha=0.6,
        label="data points",
    )
    for point, name, idea, mark in (
        (numbers["x0"], "clean point", "data", "s"),
        (found["x_t"], "noisy point", "noise", "o"),
        (found["mean"], "posterior mean", "prediction", "D"),
    ):
        plane.plot(*point, mark, color=COLOURS[idea], mec="white", ms=9, label=name)
    limit = numbers["limit"]
    plane.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    plane.set(xlabel="first coordinate", ylabel="second coordinate")
    figure.legend(*plane.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    falling = sorted(found["weights"], reverse=True)
    bars.bar(range(1, len(falling) + 1), falling, color=COLOURS["data"], width=0.85)
    end = next((each for each in ENDS if each >= falling[0]), 1)
    bars.set(ylim=(0, end), xlabel="data points, by weight", ylabel="weight")
    return figure
