"""EDM's preconditioning: variance 1 in and out, the published coefficients, and v as one case."""

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import LinearPath, PreconditionedDenoiser, add_noise, edm_loss, to_x0
from attnoise.diffusion import linear_schedule as make_linear
from attnoise.errors import ConfigError, DataError

PATHS = {"variance preserving": make_linear(1000), "flow": LinearPath()}


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def answer(value):
    return lambda x, t: torch.full_like(x, value)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.95])
def test_coefficients_are_those_of_table_1(name, share):
    path, sd = PATHS[name], 0.7
    t = torch.full((3,), share * path.T, dtype=torch.float64)
    x_t = draw(3, 2)
    alpha, sigma = (level[0] for level in path.levels(t))
    z, s = x_t / alpha, sigma / alpha
    seen = []

    def model(x, t):
        seen.append(x)
        return torch.sin(x)

    found = PreconditionedDenoiser(model, path, sigma_data=sd)(x_t, t)
    root = (s**2 + sd**2).sqrt()
    assert_close(seen[0], z / root)
    assert_close(found, sd**2 / root**2 * z + s * sd / root * torch.sin(z / root))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_input_and_target_have_variance_one(share):
    path, sd, n = LinearPath(), 0.5, 50_000
    x0, eps = sd * draw(n, 2), draw(n, 2, seed=1)
    t = torch.full((n,), share, dtype=torch.float64)
    x_t = add_noise(x0, t, eps, path)
    skip, out, into = PreconditionedDenoiser(answer(0.0), path, sigma_data=sd).coefficients(x_t, t)
    assert (into * x_t).var() == pytest.approx(1, abs=0.02)
    assert ((x0 - skip * x_t) / out).var() == pytest.approx(1, abs=0.02)


def test_with_data_of_size_one_the_network_is_minus_v():
    path, x_t, t = PATHS["variance preserving"], draw(4, 3), torch.tensor([1, 200, 700, 1000])
    v = draw(4, 3, seed=2)
    ours = PreconditionedDenoiser(lambda x, t: -v, path, sigma_data=1.0)(x_t, t)
    alpha, sigma = (level[:, None] for level in path.levels(t))
    assert_close(ours, to_x0("v", v, x_t, alpha, sigma))


@pytest.mark.parametrize("name", PATHS)
def test_without_noise_it_answers_what_it_sees_and_at_pure_noise_it_is_finite(name):
    path, x = PATHS[name], draw(4, 3)
    denoiser = PreconditionedDenoiser(answer(5.0), path)
    assert_close(denoiser(x, torch.zeros(4, dtype=torch.float64)), x)
    assert torch.isfinite(denoiser(x, torch.full((4,), path.T, dtype=torch.float64))).all()


def test_loss_is_one_for_a_network_that_answers_zero():
    x0 = 0.5 * draw(20_000, 2)
    denoiser = PreconditionedDenoiser(answer(0.0), LinearPath(), sigma_data=0.5)
    loss = edm_loss(denoiser, x0, torch.Generator().manual_seed(0))
    assert loss == pytest.approx(1, abs=0.03)


def test_noise_levels_of_the_loss_are_log_normal():
    seen = []

    def model(x, t):
        seen.append(t)
        return torch.zeros_like(x)

    denoiser = PreconditionedDenoiser(model, LinearPath())
    edm_loss(denoiser, draw(20_000, 1), torch.Generator().manual_seed(0), mean=-0.5, std=0.8)
    log_ratio = (seen[0] / (1 - seen[0])).log()
    assert log_ratio.mean() == pytest.approx(-0.5, abs=0.02)
    assert log_ratio.std() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("options", [{}, {"mean": -0.5, "std": 0.8}, {"std": 0.0}])
def test_the_loss_by_hand(options):
    path, x0, label, seen = LinearPath(), draw(7, 2, 3), torch.arange(7), []
    model = lambda x, t, *rest: seen.append((t, *rest)) or x.sin()  # noqa: E731
    denoiser = PreconditionedDenoiser(model, path)
    seeded = torch.Generator().manual_seed(0)
    normal = torch.randn(7, generator=seeded, dtype=torch.float64)
    eps = torch.randn(7, 2, 3, generator=seeded, dtype=torch.float64)
    s = (options.get("mean", -1.2) + options.get("std", 1.2) * normal).exp()[:, None, None]
    root, z = (s**2 + 0.25).sqrt(), x0 + s * eps
    x0_hat = 0.25 / root**2 * z + 0.5 * s / root * (z / root).sin()
    expected = ((x0 - x0_hat) / (0.5 * s / root)).square().mean()
    for given in ((), (label,)):
        more = {"label": label} if given else {}
        loss = edm_loss(denoiser, x0, torch.Generator().manual_seed(0), **options, **more)
        assert_close(loss, expected)
        t, *rest = seen.pop()
        assert_close(t, (s / (1 + s)).flatten())
        assert len(rest) == len(given) and all(each is label for each in rest)


def test_half_precision_is_widened_and_given_back():
    seen, x_t, t = [], draw(4, 3).bfloat16(), torch.full((4,), 0.4)
    model = lambda x, t: seen.append(x.dtype) or x.sin()  # noqa: E731
    found = PreconditionedDenoiser(model, LinearPath())(x_t, t)
    assert seen == [torch.bfloat16] and found.dtype == torch.bfloat16
    exact = PreconditionedDenoiser(model, LinearPath())(x_t.float(), t)
    assert_close(found.float(), exact, atol=0.02, rtol=0.01)


@pytest.mark.bad_input
def test_bad_input_is_named():
    for sigma_data in (0.0, float("inf")):
        with pytest.raises(
            ConfigError, match=f"sigma_data must be above 0, but it is {sigma_data}"
        ):
            PreconditionedDenoiser(answer(0.0), LinearPath(), sigma_data=sigma_data)
    denoiser = PreconditionedDenoiser(answer(0.0), LinearPath())
    for std, mean in ((-0.1, 0.0), (float("inf"), 0.0), (1.0, float("inf"))):
        with pytest.raises(ConfigError, match=f"they are {std} and {mean}"):
            edm_loss(denoiser, draw(3, 2), std=std, mean=mean)
    x0 = draw(3, 2)
    x0[1, 1] = float("nan")
    with pytest.raises(DataError, match="^x0 must be finite"):
        edm_loss(PreconditionedDenoiser(answer(0.0), LinearPath()), x0)
