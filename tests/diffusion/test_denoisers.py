"""A network as a denoiser: whatever it predicts, at which times, in which precision."""

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import NetworkDenoiser, cosine_schedule, make_target
from attnoise.diffusion.paths import ROUNDING
from attnoise.errors import ConfigError, ShapeError

SCHEDULE = cosine_schedule(20)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("target", ["eps", "x0", "v", "u"])
def test_x0_hat_is_the_same_whatever_the_network_predicts(target):
    x0, eps, t = draw(3, 2), draw(3, 2, seed=1), torch.tensor([2, 9, 19])
    alpha, sigma = SCHEDULE.alpha(t)[:, None], SCHEDULE.sigma(t)[:, None]
    answer = make_target(target, x0, eps, alpha, sigma)
    seen = []
    network = lambda x_t, time: seen.append(time) or answer  # noqa: E731
    x_t = alpha * x0 + sigma * eps
    assert_close(NetworkDenoiser(network, SCHEDULE, target)(x_t, t), x0, atol=1e-4, rtol=1e-4)
    assert_close(seen[0], t / 20)
    clipped = NetworkDenoiser(network, SCHEDULE, target, clip=0.5)(x_t, t)
    assert_close(clipped, x0.clamp(-0.5, 0.5), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_times_of_half_precision_samples_are_not_rounded(dtype):
    schedule, seen = cosine_schedule(1000), []
    network = lambda x_t, time: seen.append(time) or x_t  # noqa: E731
    NetworkDenoiser(network, schedule, "v")(draw(2, 3).to(dtype), torch.tensor([857, 858]))
    assert_close(1000 * seen[0], torch.tensor([857.0, 858.0]))  # bfloat16 holds 856 and 860


def test_no_gradient_leaves_and_the_label_is_handed_on():
    network = torch.nn.Linear(2, 2)
    seen = []
    denoiser = NetworkDenoiser(
        lambda x, time, label: seen.append(label) or network(x), SCHEDULE, "x0"
    )
    label = torch.tensor([1, 2, 3])
    assert not denoiser(draw(3, 2), torch.tensor([1, 2, 3]), label).requires_grad
    assert seen[0] is label


def test_eps_is_the_default_target_and_no_samples_are_none():
    x_t, t = draw(3, 2), torch.tensor([2, 9, 19])
    same = lambda x_t, time: x_t  # noqa: E731
    assert torch.equal(
        NetworkDenoiser(same, SCHEDULE)(x_t, t), NetworkDenoiser(same, SCHEDULE, "eps")(x_t, t)
    )
    assert NetworkDenoiser(same, SCHEDULE)(x_t[:0], t[:0]).shape == (0, 2)


def test_a_time_that_rounding_put_beyond_the_end_is_taken():
    at_most = torch.tensor([20 * ROUNDING], dtype=torch.float64)
    assert NetworkDenoiser(lambda x_t, time: x_t, SCHEDULE, "x0")(draw(1, 2), at_most).shape == (
        1,
        2,
    )


@pytest.mark.bad_input
def test_unknown_target_is_named():
    with pytest.raises(ConfigError, match="^target must be one of 'eps', .* but it is 'w'"):
        NetworkDenoiser(lambda x, t: x, SCHEDULE, "w")


@pytest.mark.bad_input
@pytest.mark.parametrize("clip", [0.0, -1.0, float("nan")])
def test_bad_clip_is_named(clip):
    with pytest.raises(ConfigError, match="clip must be above 0"):
        NetworkDenoiser(lambda x, t: x, SCHEDULE, "x0", clip)


@pytest.mark.bad_input
@pytest.mark.parametrize(
    ("t", "message", "error"),
    [
        (torch.tensor([0, 3]), "above 0 and at most at T = 20", ConfigError),
        (torch.tensor([3, 21]), "above 0 and at most at T = 20", ConfigError),
        (torch.tensor([1.0, float("nan")]), "above 0 and at most", ConfigError),
        (torch.tensor([3]), "one time per sample", ShapeError),
    ],
)
def test_bad_times_are_named(t, message, error):
    with pytest.raises(error, match=message):
        NetworkDenoiser(lambda x, t: x, SCHEDULE, "x0")(draw(2, 2), t)
