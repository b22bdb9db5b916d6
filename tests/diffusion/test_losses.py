"""The training loss: every weighting is the same in each target, finite, and 1 for eps."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attnoise.diffusion import cosine_schedule, make_target, simple_loss, zero_terminal
from attnoise.diffusion.losses import _weight
from attnoise.errors import ConfigError, DataError, ShapeError

TARGETS = ("eps", "x0", "v", "u")


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Constant(nn.Module):
    """Answers in its own target what amounts to x0_hat = 0.3 everywhere."""

    def __init__(self, target, schedule):
        super().__init__()
        self.target, self.schedule = target, schedule

    def forward(self, x_t, t, label=None):
        t = (t * self.schedule.T).round().long()
        alpha, sigma = self.schedule.alpha(t)[:, None], self.schedule.sigma(t)[:, None]
        x0_hat = torch.full_like(x_t, 0.3)
        return make_target(self.target, x0_hat, (x_t - alpha * x0_hat) / sigma, alpha, sigma)


@pytest.mark.parametrize("weighting", ["simple", "x0", "v", "u", "min_snr"])
def test_a_weighting_means_the_same_whatever_the_target(weighting):
    schedule, x0 = cosine_schedule(50), draw(2000, 2).float()
    losses = [
        simple_loss(Constant(target, schedule), x0, schedule, torch.Generator().manual_seed(0),
                    target=target, weighting=weighting)
        for target in TARGETS
    ]  # fmt: skip
    for loss in losses[1:]:
        assert_close(loss, losses[0], rtol=1e-3, atol=0)


WEIGHTS = {
    "simple": lambda snr: snr,
    "x0": lambda snr: 1 + 0 * snr,
    "v": lambda snr: snr + 1,
    "u": lambda snr: (snr.sqrt() + 1) ** 2,
    "min_snr": lambda snr: snr.clamp(max=5),
}


@pytest.mark.parametrize("weighting", WEIGHTS)
def test_weights_of_the_error_of_x0_by_the_signal_to_noise_ratio(weighting):
    """x0_hat = x0 + 1 everywhere: the loss is the mean weight."""
    schedule, x0, seen = cosine_schedule(50), draw(3000, 1).float(), []
    network = lambda x_t, time: seen.append(time) or x0 + 1  # noqa: E731
    loss = simple_loss(
        network, x0, schedule, torch.Generator().manual_seed(0), target="x0", weighting=weighting
    )
    snr = schedule.snr((50 * seen[0]).round().long())
    assert snr.min() < 5 < snr.max()
    assert_close(loss, WEIGHTS[weighting](snr).mean(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("weighting", WEIGHTS)
def test_losses_are_finite_at_zero_terminal_noise(target, weighting):
    schedule, x0 = zero_terminal(cosine_schedule(3)), draw(200, 2).float()
    network = nn.Linear(2, 2)
    run = lambda: simple_loss(  # noqa: E731
        lambda x_t, time: network(x_t), x0, schedule, torch.Generator().manual_seed(0),
        target=target, weighting=weighting,
    )  # fmt: skip
    if target == "eps" and weighting in ("x0", "v", "u"):  # infinite, and so refused
        with pytest.raises(ConfigError, match="weighting must be 'simple' or 'min_snr' for eps"):
            run()
        return
    loss = run()
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(network.weight.grad).all()


@pytest.mark.parametrize("weighting", ["simple", "min_snr"])
def test_eps_has_weight_one_at_pure_noise(weighting):
    weigh = _weight("eps", weighting, zero_terminal(cosine_schedule(3)))
    assert weigh(torch.zeros(2), torch.ones(2)).tolist() == [1, 1]


def test_eps_is_weighed_by_exactly_one():
    t = torch.arange(1, 1001)
    weigh = _weight("eps", "simple", cosine_schedule(1000))
    assert (weigh(*cosine_schedule(1000).levels(t)) == 1).all()


def test_simple_loss_is_the_plain_error_of_eps():
    """A network that answers zero errs by eps itself: its mean square is 1."""
    answer_zero = lambda x_t, t: torch.zeros_like(x_t)  # noqa: E731
    loss = simple_loss(answer_zero, draw(4000, 7).float(), cosine_schedule(9), torch.Generator())
    assert loss.item() == pytest.approx(1, abs=0.03)


def test_network_sees_times_from_one_step_to_one_and_the_label():
    seen = {}

    def network(x_t, t, label):
        seen.update(t=t, label=label)
        return x_t

    label = torch.arange(500)
    simple_loss(network, draw(500, 2).float(), cosine_schedule(4), torch.Generator(), label=label)
    assert sorted(set(seen["t"].tolist())) == [0.25, 0.5, 0.75, 1.0]
    assert torch.equal(seen["label"], label)


@pytest.mark.parametrize("labelled", [False, True])
def test_the_loss_by_hand(labelled):
    schedule, x0, seeded = cosine_schedule(50), draw(7, 2, 3), torch.Generator().manual_seed(0)
    label = torch.arange(7)
    t = torch.randint(1, 51, (7,), generator=seeded)
    eps = torch.randn(7, 2, 3, generator=seeded, dtype=torch.float64)
    alpha, sigma = (level[:, None, None] for level in schedule.levels(t))

    def network(x_t, time, *given):
        assert_close(x_t, alpha * x0 + sigma * eps)
        assert_close(time, t / 50, check_dtype=False)
        assert len(given) == labelled and all(each is label for each in given)
        return 0.3 * x_t

    error = (eps - 0.3 * (alpha * x0 + sigma * eps)).square()
    snr = (alpha / sigma) ** 2
    for options, expected in (
        ({}, error.mean()),
        ({"weighting": "min_snr"}, ((snr.clamp(max=5) / snr) * error).mean()),
    ):
        more = {"label": label} if labelled else {}
        loss = simple_loss(
            network, x0, schedule, torch.Generator().manual_seed(0), **options, **more
        )
        assert_close(loss, expected)


@pytest.mark.bad_input
def test_bad_input_is_named():
    x0, schedule = draw(3, 2).float(), cosine_schedule(9)
    with pytest.raises(ConfigError, match="^weighting must be one of 'simple'.* but it is 'snr'"):
        simple_loss(nn.Identity(), x0, schedule, weighting="snr")
    with pytest.raises(ConfigError, match="^target must be one of 'eps', .* but it is 'w'"):
        simple_loss(nn.Identity(), x0, schedule, target="w")
    x0[1, 1] = float("nan")
    with pytest.raises(DataError, match="^x0 must be finite"):
        simple_loss(nn.Identity(), x0, schedule)
    pixels = torch.zeros(3, 8, 8, 1, dtype=torch.uint8)
    with pytest.raises(ShapeError, match="x0 must be .* dtype is torch.uint8; .* / 127.5 - 1"):
        simple_loss(nn.Identity(), pixels, schedule)
    with pytest.raises(DataError, match=r"x0 must be scaled to about \[-1, 1\].* to 255"):
        simple_loss(nn.Identity(), pixels.float() + 255, schedule)
