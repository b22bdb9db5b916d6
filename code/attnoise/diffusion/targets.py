"""Prediction targets: eps, x0, v and u, and how a prediction of one converts to another."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from ..errors import choose

# Each entry: the target from (x0, eps, alpha, sigma), and x0 from (output, x_t, alpha, sigma).
# v: Salimans & Ho 2022, section 4, arXiv:2202.00512. u, the velocity of a flow in a straight line:
# Liu et al. 2022, equation 1, arXiv:2209.03003. All hold for any alpha and sigma, not both 0.
TARGETS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "eps": (
        lambda x0, eps, alpha, sigma: eps,
        lambda output, x_t, alpha, sigma: (x_t - sigma * output) / alpha,
    ),
    "x0": (
        lambda x0, eps, alpha, sigma: x0,
        lambda output, x_t, alpha, sigma: output,
    ),
    "v": (
        lambda x0, eps, alpha, sigma: alpha * eps - sigma * x0,
        lambda output, x_t, alpha, sigma: (alpha * x_t - sigma * output) / (alpha**2 + sigma**2),
    ),
    "u": (
        lambda x0, eps, alpha, sigma: eps - x0,
        lambda output, x_t, alpha, sigma: (x_t - sigma * output) / (alpha + sigma),
    ),
}


def make_target(
    target: str,
    x0: Float[Tensor, "b *axes"],
    eps: Float[Tensor, "b *axes"],
    alpha: Float[Tensor, "b *ones"],
    sigma: Float[Tensor, "b *ones"],
) -> Float[Tensor, "b *axes"]:
    """Return the training target of a network's prediction.

    eps;  x0;  v = alpha eps - sigma x0;  u = eps - x0

    Raises:
        ConfigError: The target is unknown; the message lists those that are known.
    """
    return choose("target", target, TARGETS)[0](x0, eps, alpha, sigma)


def to_x0(
    target: str,
    output: Float[Tensor, "b *axes"],
    x_t: Float[Tensor, "b *axes"],
    alpha: Float[Tensor, "b *ones"],
    sigma: Float[Tensor, "b *ones"],
) -> Float[Tensor, "b *axes"]:
    """Convert a network's prediction to x0_hat, the predicted clean sample.

    eps: (x_t - sigma eps_hat) / alpha;  v: (alpha x_t - sigma v_hat) / (alpha^2 + sigma^2);
    u: (x_t - sigma u_hat) / (alpha + sigma)

    Raises:
        ConfigError: The target is unknown; the message lists those that are known.
    """
    return choose("target", target, TARGETS)[1](output, x_t, alpha, sigma)


def to_eps(
    target: str,
    output: Float[Tensor, "b *axes"],
    x_t: Float[Tensor, "b *axes"],
    alpha: Float[Tensor, "b *ones"],
    sigma: Float[Tensor, "b *ones"],
) -> Float[Tensor, "b *axes"]:
    """Convert a network's prediction to eps_hat, the predicted noise: (x_t - alpha x0_hat) / sigma.

    Raises:
        ConfigError: The target is unknown; the message lists those that are known.
    """
    if target == "eps":
        return output
    return (x_t - alpha * to_x0(target, output, x_t, alpha, sigma)) / sigma
