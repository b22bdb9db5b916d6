"""Generative baselines: one Gaussian per class, and the mean image of each class."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import DataError, ShapeError


class PerClassGaussian:
    """Class-conditional Gaussian: a mean and a full covariance per class, fitted to images.

    The baseline that badly trained generators lose to.

    Args:
        images: Training images in [-1, 1].
        labels: Their classes.

    Raises:
        ShapeError: There is not one label per image.
        DataError: A class has fewer than two images, or a pixel is NaN or infinite.
    """

    def __init__(self, images: Float[Tensor, "b *axes"], labels: Int[Tensor, " b"]) -> None:
        _check_pairs(images, labels)
        images, labels = images.detach().cpu(), labels.cpu()
        self.shape, self.gaussians = images.shape[1:], {}
        for label in labels.unique().tolist():
            x = images[labels == label].flatten(1).double()
            if len(x) < 2:
                raise DataError(
                    f"labels must name each class twice or more, since a covariance needs two "
                    f"images, but class {label} has {len(x)}."
                )
            if not bool(torch.isfinite(x).all()):
                raise DataError(f"images of class {label} hold NaN or infinity; drop those.")
            ridge = 1e-6 * torch.eye(x.shape[1], dtype=torch.float64)  # some pixels never change
            gaussian = torch.distributions.MultivariateNormal(x.mean(0), x.T.cov() + ridge)
            self.gaussians[label] = gaussian

    def sample(
        self, labels: Int[Tensor, " b"], generator: torch.Generator
    ) -> Float[Tensor, "b *axes"]:
        """Draw one image per label, clipped to [-1, 1], on the device of the labels.

        Args:
            labels: Classes that were fitted.
            generator: Where noise comes from, drawn on its device.

        Raises:
            DataError: No image of a class was fitted.
        """
        classes = labels.cpu()
        unknown = sorted(set(classes.tolist()) - self.gaussians.keys())
        if unknown:
            raise DataError(
                f"labels must be among the fitted classes {sorted(self.gaussians)}, but they hold "
                f"{unknown}."
            )
        shape = (len(labels), self.shape.numel())
        noise = torch.randn(shape, generator=generator, device=generator.device).cpu().double()
        out = torch.empty_like(noise)
        for label, gaussian in self.gaussians.items():
            of_class = classes == label
            out[of_class] = gaussian.loc + noise[of_class] @ gaussian.scale_tril.T
        return out.clamp(-1, 1).float().reshape(-1, *self.shape).to(labels.device)


def class_means(
    images: Float[Tensor, "b *axes"], labels: Int[Tensor, " b"], wanted: Int[Tensor, " n"]
) -> Float[Tensor, "n *axes"]:
    """Return the mean image of each wanted class: full agreement with a classifier, no variety.

    Args:
        images: Training images.
        labels: Their classes.
        wanted: One class per image to return.

    Raises:
        ShapeError: There is not one label per image.
        DataError: A wanted class has no image.
    """
    _check_pairs(images, labels)
    missing = sorted(set(wanted.tolist()) - set(labels.tolist()))
    if missing:
        raise DataError(f"wanted must be classes that have images, but {missing} have none.")
    classes, place = wanted.unique(return_inverse=True)
    labels = labels.to(images.device)
    means = torch.stack([images[labels == c].mean(0) for c in classes.tolist()])
    return means[place.to(images.device)]


def _check_pairs(images: Tensor, labels: Tensor) -> None:
    if labels.shape != images.shape[:1] or not len(labels):
        raise ShapeError(
            f"labels must hold one class per image, at least one, but their shape is "
            f"{tuple(labels.shape)} and that of images {tuple(images.shape)}."
        )
