"""Measure autoencoders of digits against their controls: samples, rates, tokens, losses.

Five questions, three seeds each. How good are samples, when the codes' distribution is assumed,
fitted or learned, for plain and variational codes alike? What changes on the rate-distortion curve
with three times the training, and how much of the rate is information about a picture? When do
posteriors collapse? Which tokens lose less, finite scalar or vector quantisation? And what do
feature losses and an adversarial loss change? Beside them stand principal components of pictures of
shapes, fitted to more and more pictures.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnoise.data import draw_captions, load_captions, load_digits
from attnoise.diffusion import (
    LinearPath,
    NetworkDenoiser,
    PointDenoiser,
    euler_sample,
    flow_loss,
    last,
    make_timesteps,
)
from attnoise.evaluation.baselines import PerClassGaussian
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.evaluation.metrics import frechet_distance, memorisation_alarm, precision_recall
from attnoise.evaluation.picture_parser import score_captions
from attnoise.latent import Autoencoder, AutoencoderConfig, autoencoder_loss, kl_to_standard_normal
from attnoise.latent.autoencoder import reparameterise
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch, train
from experiments import core
from experiments.core import command_line, make_card, seeded

SHAPE: dict[str, Any] = {"image_size": 8, "channels": 1, "patch": 2, "widths": (16, 32)}
WEIGHTS = (1e-6, 1e-3, 1e-2, 0.1, 1.0, 10.0)
NAMES: dict[float | None, str] = {None: "plain"} | {weight: f"{weight:g}" for weight in WEIGHTS}
WITH_FLOW = (None, 1e-2, 0.1, 1.0)  # whose codes a flow learns
LONGER = (None, 0.1, 1e-6)  # which are trained longer as well
DRAWS = 1000


@dataclass(frozen=True, kw_only=True)
class Options(core.Options):
    """Options.

    Args:
        seeds: Seeds of training.
        steps: Steps of the chapter's training.
        longer: Steps of the control that trains longer.
        flow: Steps of the flow that learns the distribution of codes.
        fitted: For the principal components of shapes: drawings of every so-manieth caption.
    """

    seeds: int = 3
    steps: int = 350
    longer: int = 1050
    flow: int = 1500
    fitted: tuple[tuple[int, int], ...] = ((8, 1), (1, 3))


@cache
def digits() -> tuple[Any, Any]:
    """Return training digits and unseen ones."""
    return load_digits("train"), load_digits("test")


def fd(images: Tensor) -> float:
    """Return FD-mlp64 between images and unseen digits."""
    classifier = digit_classifier()
    real = classifier.features(digits()[1].images)
    return round(frechet_distance(classifier.features(images.detach().clamp(-1, 1)), real), 2)


def fit(model: nn.Module, loss: Callable[[Tensor, torch.Generator], Tensor], steps: int, seed: int):
    """Train a model as the chapter does, by a loss of images."""

    def of_batch(_: nn.Module, generator: torch.Generator) -> Tensor:
        return loss(draw_batch(tuple(digits()[0]), 64, generator)[0], generator)

    generator = torch.Generator().manual_seed(seed)
    for _ in train(model, of_batch, steps, generator, lr=5e-3, warmup=min(20, steps)):
        pass
    return model.eval()


def autoencoder(seed: int, **settings: Any) -> Autoencoder:
    """Return an untrained autoencoder of digits."""
    return seeded(lambda: Autoencoder(AutoencoderConfig(**(SHAPE | settings))), seed)


# Samples from codes, and the two axes of the curve.


def gaussian(codes: Tensor, generator: torch.Generator, n: int) -> Tensor:
    """Fit one Gaussian with its whole covariance, and draw."""
    codes = codes.double()
    ridge = 1e-6 * torch.eye(codes.shape[1], dtype=torch.float64)
    factor = torch.linalg.cholesky(codes.T.cov() + ridge)
    noise = torch.randn(n, codes.shape[1], generator=generator, dtype=torch.float64)
    return (codes.mean(0) + noise @ factor.T).float()


def flow(codes: Tensor, steps: int, seed: int) -> Tensor:
    """Train a flow on standardised codes, and draw by forty Euler steps."""
    mean, std = codes.mean(0), codes.std(0)
    model = seeded(lambda: PointDenoiser(codes.shape[1], d=64), seed)
    generator, ema = torch.Generator().manual_seed(seed), EMA(model, decay=0.99)

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        (x0,) = draw_batch(((codes - mean) / std,), 256, generator)
        return flow_loss(model, x0, generator)

    for _ in train(model, loss, steps, generator, lr=3e-3, ema=ema):
        pass
    path, start = LinearPath(), torch.randn(DRAWS, codes.shape[1], generator=generator)
    denoiser = NetworkDenoiser(ema.model.eval(), path, "u")
    times = make_timesteps(path, 40)
    with torch.no_grad():
        return mean + std * last(
            euler_sample(denoiser, start, path, generator, timesteps=times, parametrisation="flow")
        )


def samplers(codes: Tensor, means: Tensor, labels: Tensor, seed: int) -> dict[str, Tensor]:
    """Return codes drawn in every way, from a fixed normal to one Gaussian per class."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(DRAWS, codes.shape[1], generator=generator)
    channel = codes.unflatten(1, (2, 4))  # a channel's numbers share one scale, as in `encode`
    mean, std = channel.mean((0, 2), keepdim=True), channel.std((0, 2), keepdim=True)
    by_class = [
        gaussian(codes[labels == k], generator, int(n))
        for k, n in enumerate(torch.bincount(labels) * DRAWS // len(labels))
    ]
    return {
        "standard normal": noise,
        "channels standardised": (mean + std * noise.unflatten(1, (2, 4))).flatten(1),
        "each number standardised": codes.mean(0) + codes.std(0) * noise,
        "one Gaussian": gaussian(codes, generator, DRAWS),
        "one Gaussian, posterior means": gaussian(means, generator, DRAWS),
        "one Gaussian per class": torch.cat(by_class),
        "codes of training digits": codes[:DRAWS],
    }


def information(mean: Tensor, log_variance: Tensor, z: Tensor) -> float:
    """Return the nats that a code tells about which training picture it is of.

    E log q(z | x) - log mean of q(z | x') over all x', at most the logarithm of their number
    """
    if torch.isinf(log_variance).any():
        return math.log(len(z))
    std = (log_variance / 2).exp()
    log_q = torch.distributions.Normal(mean, std).log_prob(z[:, None]).sum(-1)  # b b
    return (log_q.diagonal() - log_q.logsumexp(1) + math.log(len(z))).mean().item()


@torch.no_grad()
def describe(model: Autoencoder) -> dict[str, float]:
    """Return rate, information, active units and errors of a model."""
    seen, unseen = digits()
    generator = torch.Generator().manual_seed(1)
    mean, log_variance = model.posterior(unseen.images)
    found = {"distortion": F.mse_loss(model(unseen.images, generator), unseen.images).item()}
    if model.config.bottleneck == "vae":
        each = (mean.square() + log_variance.exp() - 1 - log_variance).mean(0).flatten() / 2
        found["rate"] = each.sum().item()
        found["active"] = (each > 0.05).sum().item()
        mean, log_variance = (part.flatten(1) for part in model.posterior(seen.images))
        found["rate, training"] = kl_to_standard_normal(mean, log_variance).mean().item()
        z = reparameterise(mean, log_variance, generator)
        found["information, training"] = information(mean, log_variance, z)
    return {name: round(value, 4) for name, value in found.items()}


def sampled(weight: float | None, steps: int, seed: int, flow_steps: int) -> dict[str, Any]:
    """Train a plain autoencoder or a VAE, and return all its measures and scores of samples."""
    settings = {"bottleneck": "plain" if weight is None else "vae", "latent_channels": 2}
    model = autoencoder(seed, **settings)
    fit(model, partial(autoencoder_loss, model, kl_weight=weight or 0.0), steps, seed)
    seen, unseen = digits()
    found: dict[str, Any] = describe(model)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        mean, log_variance = model.posterior(seen.images)
        z = reparameterise(mean, log_variance, generator)
        z = mean if weight is None else z
        drawn = samplers(z.flatten(1), mean.flatten(1), seen.labels, seed)
    if flow_steps:
        drawn["flow"] = flow(z.flatten(1), flow_steps, seed)
    images = {k: model.decode(v.view(-1, 2, 2, 2)).detach().clamp(-1, 1) for k, v in drawn.items()}
    found["FD-mlp64"] = {name: fd(x) for name, x in images.items()}
    if flow_steps:
        with torch.no_grad():
            ours, spread = model.posterior(unseen.images)
            ours = ours if weight is None else reparameterise(ours, spread, generator)
        std, classifier = z.flatten(1).std(0), digit_classifier()
        real = classifier.features(unseen.images)
        found["precision"], found["recall"], found["memorised"] = {}, {}, {}
        for name in ("one Gaussian", "one Gaussian per class", "flow", "codes of training digits"):
            precision, recall = precision_recall(real, classifier.features(images[name]))
            found["precision"][name], found["recall"][name] = round(precision, 3), round(recall, 3)
            rows = (x.flatten(1) / std for x in (drawn[name], z, ours))  # in the space of codes
            found["memorised"][name] = bool(memorisation_alarm(*rows).alarm)
    return found


def components(seed: int) -> dict[str, float]:
    """Score samples of eight principal components, by one Gaussian and by one per class."""
    seen, _ = digits()
    flat, mean = seen.images.flatten(1), seen.images.flatten(1).mean(0)
    axes = torch.linalg.svd(flat - mean, full_matrices=False).Vh[:8]
    codes = (flat - mean) @ axes.T
    drawn = samplers(codes, codes, seen.labels, seed)
    chosen = ("one Gaussian", "one Gaussian per class", "codes of training digits")
    found = {name: fd((drawn[name] @ axes + mean).view(-1, 1, 8, 8)) for name in chosen}
    pixels = PerClassGaussian(seen.images, seen.labels)
    labels = seen.labels[:DRAWS]
    found["pixels, one Gaussian per class"] = fd(
        pixels.sample(labels, torch.Generator().manual_seed(seed))
    )
    return found


# Collapse.


class MaskedConvolution(nn.Conv2d):
    """A convolution that sees only pixels before its own, by rows; the own one too if inclusive."""

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, inclusive: bool) -> None:
        super().__init__(inputs, outputs, 5, padding=2)
        mask = torch.ones(5, 5)
        mask[2, 2 + inclusive :] = mask[3:] = 0
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve with the masked weights."""
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=2)


def collapse(kind: str, weight: float, steps: int, seed: int) -> dict[str, float]:
    """Train a VAE with a remedy or with a decoder that sees earlier pixels; return its state."""
    model = autoencoder(seed, bottleneck="vae", latent_channels=2)
    context = seeded(
        lambda: nn.Sequential(
            MaskedConvolution(1, 32, False), nn.SiLU(), MaskedConvolution(32, 32, True), nn.SiLU(),
            MaskedConvolution(32, 1, True),
        ), seed,
    )  # fmt: skip
    if kind == "strong decoder":
        model.add_module("context", context)
    step = 0

    def loss(images: Tensor, generator: torch.Generator | None) -> Tensor:
        nonlocal step
        step += 1
        mean, log_variance = model.posterior(images)
        x_hat = model.decoder(reparameterise(mean, log_variance, generator))
        if kind == "strong decoder":
            x_hat = x_hat + context(images)
        each = (mean.square() + log_variance.exp() - 1 - log_variance).mean(0) / 2
        each = each.clamp(min=0.5) if kind == "free bits" and model.training else each
        part = min(1.0, 2 * step / steps) if kind == "annealed" else 1.0
        error = (images - x_hat).square().mean()
        return error if not model.training else error + part * weight * each.sum() / 64

    fit(model, loss, steps, seed)
    found = describe(model)
    if kind == "strong decoder":
        with torch.no_grad():
            found["distortion"] = loss(digits()[1].images, torch.Generator().manual_seed(1)).item()
    found["loss"] = found["distortion"] + weight * found["rate"] / 64
    return {name: round(value, 4) for name, value in found.items()}


# Tokens.


class VectorQuantiser(nn.Module):
    """Replace each position's vector by the nearest of a learned codebook.

    loss = || sg(z) - e ||^2 + 0.25 || z - sg(e) ||^2, straight-through gradients

    Source: van den Oord et al. 2017, equation 3, arXiv:1711.00937.
    """

    def __init__(self, codes: int, channels: int) -> None:
        super().__init__()
        self.codebook = nn.Parameter((2 * torch.rand(codes, channels) - 1) / codes)

    def nearest(self, z: Tensor) -> Tensor:
        """Number the nearest code of each position, "b i j"."""
        return torch.cdist(z.movedim(1, -1).flatten(0, 2), self.codebook).argmin(1)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes with straight-through gradients, and the loss of the codebook."""
        e = self.codebook[self.nearest(z)].view_as(z.movedim(1, -1)).movedim(-1, 1)
        loss = F.mse_loss(e, z.detach()) + 0.25 * F.mse_loss(z, e.detach())
        return z + (e - z).detach(), loss


def tokens(kind: str, steps: int, seed: int) -> dict[str, float]:
    """Train one autoencoder with four tokens of 40 codes; return its error and codes in use."""
    seen, unseen = digits()
    if kind == "FSQ":
        model = autoencoder(seed, bottleneck="fsq", latent_channels=2, levels=(8, 5))
        fit(model, partial(autoencoder_loss, model), steps, seed)
        with torch.no_grad():
            error = F.mse_loss(model(unseen.images), unseen.images).item()
            assert model.quantiser is not None
            numbers = model.quantiser.to_codes(model.posterior(seen.images)[0]).flatten()
    else:
        channels = 8 if "8" in kind else 2
        model = autoencoder(seed, latent_channels=channels)
        model.codebook = quantiser = seeded(lambda: VectorQuantiser(40, channels), seed)
        if "small" not in kind:  # begin at codes of training digits
            with torch.no_grad():
                first = model.encoder(seen.images[:30]).movedim(1, -1).flatten(0, 2)
                quantiser.codebook.copy_(first[::3])

        def through(images: Tensor) -> tuple[Tensor, Tensor]:
            z, loss = quantiser(model.encoder(images))
            return model.decoder(z), loss

        def loss(images: Tensor, _: torch.Generator) -> Tensor:
            x_hat, codebook_loss = through(images)
            return F.mse_loss(x_hat, images) + codebook_loss

        fit(model, loss, steps, seed)
        with torch.no_grad():
            error = F.mse_loss(through(unseen.images)[0], unseen.images).item()
            numbers = quantiser.nearest(model.encoder(seen.images))
    rate = numbers.bincount(minlength=40).double() / len(numbers)
    entropy = -(rate[rate > 0] * rate[rate > 0].log2()).sum().item()
    used = int((rate > 0).sum())
    return {"distortion": round(error, 4), "codes": used, "bits": round(4 * entropy, 2)}


# Losses beside the squared error.


def feature_network(trained: bool, seed: int) -> nn.ModuleList:
    """Return a small convolutional classifier of digits, whose layers are the features."""
    sizes = ((1, 32), (32, 32), (32, 64))
    net = seeded(
        lambda: nn.ModuleList(
            [nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.SiLU()) for a, b in sizes]
            + [nn.Linear(64, 10)]
        ),
        100 + seed,
    )
    if trained:

        def loss(_: nn.Module, generator: torch.Generator) -> Tensor:
            images, labels = draw_batch(tuple(digits()[0]), 64, generator)
            return F.cross_entropy(net[-1](features(net, images)[-1].mean((2, 3))), labels)

        for _ in train(net, loss, 300, torch.Generator().manual_seed(seed), lr=3e-3):
            pass
    return net.requires_grad_(False).eval()


def features(net: nn.ModuleList, images: Tensor) -> list[Tensor]:
    """Return what each layer makes of the images."""
    found, x = [], images
    for layer in list(net)[:-1]:
        x = layer(x)
        found.append(x)
    return found


def feature_distance(net: nn.ModuleList, x: Tensor, y: Tensor) -> Tensor:
    """Return the squared distance of features of unit length, summed over layers (LPIPS)."""
    pairs = zip(features(net, x), features(net, y), strict=True)
    unit = partial(F.normalize, dim=1)
    return sum(((unit(a) - unit(b)).square().sum(1).mean() for a, b in pairs), torch.tensor(0.0))


LOSSES = {  # weight of trained features, of random features, of the discriminator
    "squared error": (0.0, 0.0, 0.0),
    "trained features": (0.3, 0.0, 0.0),
    "random features": (0.0, 0.3, 0.0),
    "adversarial": (0.0, 0.0, 0.01),
}
LONGER_LOSSES = ("squared error",)  # trained longer as well


def other_loss(kind: str, steps: int, seed: int) -> dict[str, float]:
    """Train an autoencoder of four numbers by one of the losses; measure its reconstructions."""
    of_trained, of_random, of_critic = LOSSES[kind]
    model = autoencoder(seed, latent_channels=1)
    nets = [(w, feature_network(bool(of_trained), seed)) for w in (of_trained + of_random,) if w]
    critic = seeded(
        lambda: nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(64, 1, 3),
        ), 200 + seed,
    )  # fmt: skip
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    step = 0

    def loss(images: Tensor, _: torch.Generator) -> Tensor:
        nonlocal step
        step += 1
        x_hat = model(images)
        total = F.mse_loss(x_hat, images)
        for weight, net in nets:
            total = total + weight * feature_distance(net, x_hat, images)
        if of_critic and step > steps // 3:  # later, as in latent diffusion
            hinge = F.relu(1 - critic(images)).mean() + F.relu(1 + critic(x_hat.detach())).mean()
            optimizer.zero_grad()
            hinge.backward()
            optimizer.step()
            critic.requires_grad_(False)
            total = total - of_critic * critic(x_hat).mean()
            critic.requires_grad_(True)
        return total

    fit(model, loss, steps, seed)
    images, labels = digits()[1]
    with torch.no_grad():
        x_hat = model(images).clamp(-1, 1)
    found = {
        "distortion": F.mse_loss(x_hat, images).item(),
        "FD-mlp64": fd(x_hat),
        "class agreement": digit_classifier().agreement(x_hat, labels).value,
        "variance kept": (x_hat.var(0).sum() / images.var(0).sum()).item(),
    }
    return {name: round(value, 4) for name, value in found.items()}


def shapes(every: int, copies: int) -> dict[str, float]:
    """Fit 256 principal components to pictures of shapes; count unseen ones that survive."""
    captions = load_captions("unseen")[::3]
    pictures = draw_captions(captions, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(4)
    total, second, n = torch.zeros(3072), torch.zeros(3072, 3072), 0
    for _ in range(copies):
        flat = draw_captions(load_captions("train")[::every], generator).flatten(1)
        total, second, n = total + flat.sum(0), second + flat.T @ flat, n + len(flat)
    mean = total / n
    axes = torch.linalg.eigh(second / n - mean.outer(mean))[1][:, -256:]
    back = (((pictures.flatten(1) - mean) @ axes) @ axes.T + mean).view_as(pictures)
    exact = sum(score.exact for score in score_captions(captions, back))
    error = F.mse_loss(back, pictures).item()
    return {"pictures": n, "exact": exact, "of": len(captions), "distortion": round(error, 5)}


def transposed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Turn measures of several seeds into lists, one per measure."""
    first = runs[0]
    return {
        name: transposed([one[name] for one in runs])
        if isinstance(value, dict)
        else [one[name] for one in runs]
        for name, value in first.items()
    }


def main(options: Options) -> None:
    """Train and measure whatever is not known yet, and write the card."""
    torch.set_num_threads(1)
    experiment = core.Experiment("digits-autoencoders", options)

    def run(measure: Callable[..., dict], *arguments: Any) -> Any:
        runs = []
        for seed in range(options.seeds):
            call = partial(measure, *arguments[:2], seed, *arguments[2:])
            runs.append(experiment.remember(f"{measure.__name__} {arguments} {seed}", call))
        return transposed(runs)

    steps, longer = options.steps, options.longer
    codes: dict[str, dict[str, Any]] = {name: {} for name in NAMES.values()}
    for weight, name in NAMES.items():
        flow_steps = options.flow if weight in WITH_FLOW else 0
        codes[name]["steps"] = run(sampled, weight, steps, flow_steps)
    linear = transposed(
        [experiment.remember(f"linear {s}", partial(components, s)) for s in range(options.seeds)]
    )
    kinds = ("FSQ", "VQ", "VQ, small start", "VQ, 8 channels")
    losses = {kind: {"steps": run(other_loss, kind, steps)} for kind in LOSSES}
    lengths = {"steps": steps, "longer": longer}
    coded = {
        kind: {length: run(tokens, kind, n) for length, n in lengths.items()} for kind in kinds
    }
    fitted = [
        experiment.remember(f"shapes {every} {copies}", partial(shapes, every, copies))
        for every, copies in options.fitted
    ]
    collapsed = {
        f"{kind}, {weight:g}": transposed(
            [
                experiment.remember(
                    f"collapse {kind} {weight} {steps} {seed}",
                    partial(collapse, kind, weight, steps, seed),
                )
                for seed in range(options.seeds)
            ]
        )
        for kind, weight in (
            ("annealed", 1.0),
            ("free bits", 1.0),
            ("strong decoder", 0.1),
        )
    }
    for weight in LONGER:
        name, flow_steps = NAMES[weight], options.flow if weight in WITH_FLOW else 0
        codes[name]["longer"] = run(sampled, weight, longer, flow_steps)
    for kind in LONGER_LOSSES:
        losses[kind]["longer"] = run(other_loss, kind, longer)
    images, labels = digits()[1]
    card = make_card(
        experiment,
        task="autoencoders of digits: samples, rates, tokens and losses, against their controls",
        data="scikit-learn digits, 1352 training images",
        data_sha256="",
        steps=steps,
        batch=64,
        lr=5e-3,
        cpu_seconds=experiment.seconds(),
        result=codes,
        baseline={"eight principal components": linear, "components of shapes": fitted},
        longer_steps=longer,
        flow_steps=options.flow,
        seeds=options.seeds,
        collapse=collapsed,
        tokens=coded,
        losses=losses,
        class_agreement_ceiling=round(digit_classifier().agreement(images, labels).value, 4),
    )
    experiment.write(card)


if __name__ == "__main__":
    main(command_line(Options, __doc__))
