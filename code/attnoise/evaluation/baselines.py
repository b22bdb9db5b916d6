"""Generative baselines: one Gaussian per class, and the mean image of each class."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import DataError


class PerClassGaussian:
    """The baseline that badly trained generators lose to: one Gaussian per class.

    Args:
        images: Training images in [-1, 1].
        labels: Their classes.

    Raises:
        DataError: A class has fewer than two images.
    """

    def __init__(self, images: Float[Tensor, "b *axes"], labels: Int[Tensor, " b"]) -> None:
        self.shape, self.gaussians = images.shape[1:], {}
        for label in labels.unique().tolist():
            x = images[labels == label].flatten(1).double()
            if len(x) < 2:
                raise DataError(f"class {label} has {len(x)} images; a covariance needs two.")
            ridge = 1e-6 * torch.eye(x.shape[1], dtype=torch.float64)  # some pixels never change
            gaussian = torch.distributions.MultivariateNormal(x.mean(0), x.T.cov() + ridge)
            self.gaussians[label] = gaussian

    def sample(
        self, labels: Int[Tensor, " b"], generator: torch.Generator
    ) -> Float[Tensor, "b *axes"]:
        """Draw one image per label, cut off at -1 and 1."""
        noise = torch.randn(
            len(labels), self.shape.numel(), generator=generator, dtype=torch.float64
        )
        out = torch.empty_like(noise)
        for label, gaussian in self.gaussians.items():
            of_class = labels == label
            out[of_class] = gaussian.loc + noise[of_class] @ gaussian.scale_tril.T
        return out.clamp(-1, 1).float().reshape(-1, *self.shape)


def class_means(
    images: Float[Tensor, "b *axes"], labels: Int[Tensor, " b"], wanted: Int[Tensor, " n"]
) -> Float[Tensor, "n *axes"]:
    """Return each wanted class's mean image: perfect agreement, no variety at all."""
    means = torch.stack([images[labels == c].mean(0) for c in range(int(labels.max()) + 1)])
    return means[wanted]
