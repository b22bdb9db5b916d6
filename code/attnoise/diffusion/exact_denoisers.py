"""Two exact denoisers, E[x0 | x_t] in closed form: of a finite data set, and of Gaussian data."""

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from ..attention import attention
from ..checks import values_may_be_read
from ..errors import ConfigError, DataError, ShapeError
from .denoisers import noisy_levels
from .numerics import float_dtype
from .paths import Path


def check_size(x_t: Float[Tensor, "b *axes"], size: int) -> None:
    """Raise a ShapeError unless samples have as many numbers as those of the data."""
    if x_t[0].numel() != size:
        raise ShapeError(
            f"x_t must have {size} numbers per sample, as the data have, but its shape is "
            f"{tuple(x_t.shape)}."
        )


class IdealDenoiser:
    """The best denoiser that there is for a finite data set: attention over the data.

    E[x0 | x_t] = sum_i w_i x_i,  w = softmax_i(-|x_t - alpha x_i|^2 / (2 sigma^2))

    The square opens into alpha x_t . x_i / sigma^2 - alpha^2 |x_i|^2 / (2 sigma^2) and a term
    that all i share, which the softmax ignores. So the score is a dot product of the query
    (alpha x_t, alpha^2) / sigma^2 and the key (x_i, -|x_i|^2 / 2), and the values are the data.

    With a std each sample is the centre of a round Gaussian blob, and the answer is the exact one
    for that mixture: sigma^2 grows by alpha^2 std^2 in the weights, and the mean of the centres is
    drawn towards x_t.

    Args:
        data: The data set; the leading axis counts its m samples.
        path: The noise schedule, or another path to noise.
        labels: The class of each sample, for use with a label: then a boolean mask lets each
            query see its own class alone.
        std: The size of the blobs, at least 0.

    Raises:
        DataError: The data hold NaN or infinity, or no sample.
        ShapeError: labels does not hold one class per sample.
        ConfigError: std is below 0; when called, a label is asked for that no sample has.

    Source: Karras et al. 2022, appendix B.3, arXiv:2206.00364, here for alpha below 1.
    """

    def __init__(
        self, data: Float[Tensor, "m *axes"], path: Path, labels=None, *, std: float = 0.0
    ) -> None:
        if not 0 <= std < torch.inf:
            raise ConfigError(
                f"std must be at least 0 and finite, but it is {std}; 0 means points."
            )
        if not len(data) or not bool(torch.isfinite(data).all()):
            raise DataError(
                "data must hold at least one sample and no NaN or infinity; "
                f"it holds {len(data)} samples."
            )
        if labels is not None and labels.shape != data.shape[:1]:
            raise ShapeError(
                f"labels must hold one class for each of the {len(data)} samples, but its shape "
                f"is {tuple(labels.shape)}."
            )
        self.path, self.labels, self.std = path, labels, std
        # float64 where the device has it: near t = 0 the scores are huge
        self.value = data.flatten(1).to(float_dtype(data.device))  # m e
        half_square = self.value.square().sum(dim=1, keepdim=True) / 2
        self.key = torch.cat([self.value, -half_square], dim=1)  # m e+1

    def __call__(
        self,
        x_t: Float[Tensor, "b *axes"],
        t: Num[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b *axes"]:
        """Return the mean of all clean samples that x_t may come from."""
        x0_hat = self._attend(x_t, t, label)[0]
        if self.std:
            alpha, sigma = (level[:, None] for level in self.path.levels(t))
            gain = alpha * self.std**2 / (alpha**2 * self.std**2 + sigma**2)
            x0_hat = x0_hat + gain * (x_t.flatten(1).to(gain.dtype) - alpha * x0_hat)
        return x0_hat.to(x_t.dtype).reshape(x_t.shape)

    def weights(
        self,
        x_t: Float[Tensor, "b *axes"],
        t: Num[Tensor, " b"],
        label: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b m"]:
        """Return the posterior probability of each sample given x_t: the attention weights."""
        return self._attend(x_t, t, label)[1]

    def _attend(self, x_t: Tensor, t: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        check_size(x_t, self.value.shape[1])
        alpha, sigma = (level[:, None] for level in noisy_levels(self.path, t, x_t))  # b 1
        scaled = torch.cat([alpha * x_t.flatten(1).to(alpha.dtype), alpha**2], dim=1)
        query = scaled / (sigma**2 + (alpha * self.std) ** 2)  # b e+1
        output, weights = attention(
            query, self.key, self.value, self._mask(label), scale=1.0, return_weights=True
        )
        return output, weights

    def _mask(self, label: Int[Tensor, " b"] | None) -> Bool[Tensor, "b m"] | None:
        """Return which samples are of each query's class; None for all."""
        if label is None:
            return None
        if self.labels is None:
            raise ConfigError(
                "label was given, but the denoiser knows no labels; "
                "build it with IdealDenoiser(data, path, labels)."
            )
        mask = label[:, None] == self.labels[None, :]  # b m
        if values_may_be_read(mask) and not bool(mask.any(dim=1).all()):
            raise ConfigError(
                "label must be a class of the data, but no sample has "
                f"{label[~mask.any(dim=1)].unique().tolist()}; leave label out for the mean of all."
            )
        return mask


class GaussianDenoiser:
    """The exact denoiser of Gaussian data: a straight line.

    E[x0 | x_t] = mean + alpha C (alpha^2 C + sigma^2 I)^{-1} (x_t - alpha mean)

    Args:
        mean: Mean of the data.
        covariance: Covariance C of the data, symmetric, with no negative eigenvalue.
        path: The noise schedule, or another path to noise.

    Raises:
        ShapeError: The covariance is not square or does not fit the mean.
        DataError: The covariance is not symmetric or has a negative eigenvalue, or a number is NaN
            or infinite.

    Source: conditional mean of jointly normal variables; Bishop 2006, equation 2.81.
    """

    def __init__(
        self, mean: Float[Tensor, " e"], covariance: Float[Tensor, "e e"], path: Path
    ) -> None:
        if covariance.shape != (len(mean), len(mean)):
            raise ShapeError(
                f"covariance must have shape {(len(mean), len(mean))} to fit the mean, but its "
                f"shape is {tuple(covariance.shape)}."
            )
        covariance = covariance.cpu().double()
        if not bool(torch.isfinite(covariance).all() and torch.isfinite(mean).all()):
            raise DataError("mean and covariance must be finite, but they hold NaN or infinity.")
        eigenvalues, self.axes = torch.linalg.eigh(covariance)
        if not torch.allclose(covariance, covariance.T) or eigenvalues.min() < -1e-8:
            raise DataError(
                "covariance must be symmetric with no negative eigenvalue, but its smallest one is "
                f"{float(eigenvalues.min()):.3g}; estimate it with torch.cov."
            )
        self.mean, self.variances = mean.cpu().double(), eigenvalues.clamp(min=0)
        self.path = path

    def __call__(
        self, x_t: Float[Tensor, "b *axes"], t: Num[Tensor, " b"], label: Tensor | None = None
    ) -> Float[Tensor, "b *axes"]:
        """Return the mean of x0 given x_t, exactly."""
        check_size(x_t, len(self.mean))
        alpha, sigma = (level[:, None] for level in noisy_levels(self.path, t, x_t))  # b 1
        mean, axes, variances = (
            part.to(alpha.dtype).to(x_t.device) for part in (self.mean, self.axes, self.variances)
        )
        centred = (x_t.flatten(1).to(alpha.dtype) - alpha * mean) @ axes  # along each axis
        gain = alpha * variances / (alpha**2 * variances + sigma**2)
        x0_hat = mean + (gain * centred) @ axes.T
        return x0_hat.to(x_t.dtype).reshape(x_t.shape)
