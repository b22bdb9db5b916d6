"""Guidance: exact on Gaussians, as many calls as it says, and clear words for what cannot be."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from attnoise.diffusion import (
    GaussianDenoiser,
    GuidedDenoiser,
    IdealDenoiser,
    LinearPath,
    NetworkDenoiser,
    cosine_schedule,
    ddim_sample,
    drop_labels,
    heun_sample,
    last,
    make_timesteps,
    to_eps,
    without_label,
)
from attnoise.errors import ConfigError
from attnoise.together import DiT, DiTConfig

SCHEDULE = cosine_schedule(50)
CENTRES = torch.tensor([[1.0, 0.5], [-1.2, 0.1], [0.2, -1.1]], dtype=torch.float64)
IDEAL = IdealDenoiser(CENTRES, SCHEDULE, torch.tensor([0, 1, 2]), std=0.3)


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class Counting:
    """A denoiser that remembers how many samples each call saw, and with which labels."""

    def __init__(self, denoiser=IDEAL):
        self.denoiser, self.path, self.calls, self.labels = denoiser, SCHEDULE, [], []

    def __call__(self, x_t, t, label=None):
        self.calls.append(len(x_t))
        self.labels.append(None if label is None else label.tolist())
        return self.denoiser(x_t, t, label)


def network(null_class=True):
    torch.manual_seed(3)
    config = DiTConfig(
        image_size=4, channels=1, d=12, depth=1, heads=2, classes=5, null_class=null_class
    )
    model = DiT(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)  # the last layer starts at zero
    return NetworkDenoiser(model, SCHEDULE, target="x0")


def test_guided_score_of_two_gaussians_is_that_of_their_tilted_product():
    scale, v, V = 2.5, torch.tensor([0.2, 0.7]), torch.tensor([1.1, 2.3])
    mean, other_mean = torch.tensor([0.8, -0.3]), torch.tensor([-0.5, 0.4])
    narrow = GaussianDenoiser(mean, torch.diag(v), SCHEDULE)
    wide = GaussianDenoiser(other_mean, torch.diag(V), SCHEDULE)
    guided = GuidedDenoiser(narrow, scale, weak=wide)
    x, t = draw(7, 2), torch.tensor([1, 5, 11, 23, 31, 43, 50])
    alpha, sigma = (level[:, None] for level in SCHEDULE.levels(t))
    # N(a m, a^2 v + s^2)^scale N(a m', a^2 V + s^2)^(1 - scale) is a Gaussian, too
    first, second = alpha**2 * v + sigma**2, alpha**2 * V + sigma**2
    precision = scale / first + (1 - scale) / second
    centre = (scale * alpha * mean / first + (1 - scale) * alpha * other_mean / second) / precision
    score = -(x - centre) * precision
    assert_close(guided(x, t), (x + sigma**2 * score) / alpha)


def test_the_end_of_guided_gaussians_is_narrower_and_overshoots():
    mean, v, V = torch.tensor([1.0]), torch.tensor([[0.25]]), torch.tensor([[1.25]])
    path = LinearPath()
    guided = GuidedDenoiser(
        GaussianDenoiser(mean, v, path), 3.0, weak=GaussianDenoiser(0 * mean, V, path)
    )
    start = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    end = last(
        heun_sample(
            guided, start, path, timesteps=make_timesteps(path, 300), parametrisation="flow"
        )
    )
    assert end[0] > 1.2  # where the middle of the noise ends: beyond the class' own mean
    assert 0 < end[1] - end[0] < 0.5  # and closer together than the class' standard deviation


def test_null_label_moves_away_from_the_prediction_without_a_label():
    denoiser, scale = network(), 3.0
    guided = GuidedDenoiser(denoiser, scale, null_label=5)
    x, t, label = (
        draw(7, 1, 4, 4, dtype=torch.float32),
        torch.full((7,), 20),
        torch.arange(7) % 5,
    )
    with_label, without = denoiser(x, t, label), denoiser(x, t, torch.full((7,), 5))
    assert (with_label - without).abs().max() > 1e-3
    assert_close(guided(x, t, label), without + scale * (with_label - without))
    alpha, sigma = (level.float().reshape(-1, 1, 1, 1) for level in SCHEDULE.levels(t))
    noises = [
        to_eps("x0", x0, x, alpha, sigma) for x0 in (with_label, without, guided(x, t, label))
    ]
    assert_close(noises[2], noises[1] + scale * (noises[0] - noises[1]), atol=1e-4, rtol=1e-4)


def test_negative_label_and_weak_denoiser():
    x, t, label = draw(5, 2), torch.full((5,), 30), torch.tensor([0, 1, 1, 0, 2])
    conditional, two = IDEAL(x, t, label), IDEAL(x, t, torch.full((5,), 2))
    assert_close(GuidedDenoiser(IDEAL, 2.0, negative=2)(x, t, label), two + 2 * (conditional - two))
    blurred = IdealDenoiser(CENTRES, SCHEDULE, torch.tensor([0, 1, 2]), std=0.9)
    other = blurred(x, t, label)
    assert_close(
        GuidedDenoiser(IDEAL, 2.0, weak=blurred)(x, t, label), other + 2 * (conditional - other)
    )
    free = GuidedDenoiser(IDEAL, 2.0, weak=without_label(IDEAL))(x, t, label)
    assert_close(free, IDEAL(x, t) + 2 * (conditional - IDEAL(x, t)))
    nobody = GuidedDenoiser(IDEAL, 2.0, weak=blurred)(x, t)  # autoguidance needs no label
    assert_close(nobody, blurred(x, t) + 2 * (IDEAL(x, t) - blurred(x, t)))


def test_scale_one_is_off_and_asks_once():
    x, t, label = draw(5, 2), torch.full((5,), 30), torch.tensor([0, 1, 1, 0, 2])
    for other in ({"negative": 2}, {"weak": Counting()}, {"null_label": 2}):
        counting = Counting()
        assert_close(GuidedDenoiser(counting, 1, **other)(x, t, label), IDEAL(x, t, label))
        assert counting.calls == [5] and counting.labels == [label.tolist()]
        assert not isinstance(other.get("weak"), Counting) or other["weak"].calls == []


def test_two_predictions_of_one_model_are_one_call_on_twice_as_many():
    x, t, label = draw(5, 2), torch.full((5,), 30), torch.tensor([0, 1, 1, 0, 2])
    counting = Counting()
    GuidedDenoiser(counting, 3.0, negative=2)(x, t, label)
    assert counting.calls == [10] and counting.labels == [[0, 1, 1, 0, 2, 2, 2, 2, 2, 2]]
    counting, weak = Counting(), Counting()
    GuidedDenoiser(counting, 3.0, weak=weak)(x, t, label)
    assert counting.calls == weak.calls == [5]


def test_outside_the_interval_guidance_is_off_and_asks_once():
    counting, label = Counting(), torch.tensor([0, 1, 1])
    guided = GuidedDenoiser(counting, 3.0, negative=2, interval=(0.2, 0.6))
    x, steps = draw(3, 2), [50, 40, 30, 20, 10, 5, 0]
    guided_steps = list(ddim_sample(guided, x, SCHEDULE, timesteps=steps, label=label))
    assert counting.calls == [3, 3, 6, 6, 6, 3]  # t / T = 1, 0.8, 0.6, 0.4, 0.2, 0.1
    plain = list(ddim_sample(IDEAL, x, SCHEDULE, timesteps=steps, label=label))
    assert_close(guided_steps[1].x, plain[1].x)
    assert (guided_steps[2].x - plain[2].x).abs().max() > 1e-2
    t = torch.tensor([50, 25, 5])  # one time per sample: each follows its own
    mixed, always = guided(x, t, label), GuidedDenoiser(IDEAL, 3.0, negative=2)(x, t, label)
    assert_close(mixed[1], always[1])
    assert_close(mixed[[0, 2]], IDEAL(x, t, label)[[0, 2]])


def test_clip_cuts_the_guided_prediction():
    x, t, label = draw(5, 2), torch.full((5,), 30), torch.tensor([0, 1, 1, 0, 2])
    free = GuidedDenoiser(IDEAL, 9.0, negative=2)(x, t, label)
    cut = GuidedDenoiser(IDEAL, 9.0, negative=2, clip=1.5)(x, t, label)
    assert free.abs().max() > 1.5 and cut.abs().max() == 1.5
    assert_close(cut, free.clamp(-1.5, 1.5))


def test_drop_labels_drops_at_the_rate_and_keeps_the_rest():
    label = torch.arange(7 * 4000) % 7
    dropped = drop_labels(label, 7, 0.3, torch.Generator().manual_seed(0))
    gone = dropped == 7
    assert gone.float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(dropped[~gone], label[~gone])
    assert gone.view(-1, 7).float().mean(dim=0).std() < 0.03  # no class is favoured
    again = drop_labels(label, 7, 0.3, torch.Generator().manual_seed(0))
    assert torch.equal(dropped, again)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(drop_labels(label, 7, 0, generator), label)
    assert bool((drop_labels(label, 7, 1, generator) == 7).all())
    assert drop_labels(torch.tensor([1, 2]), 0, 1, generator).tolist() == [0, 0]


def test_the_scale_is_as_precise_as_the_samples():
    x, t, label = draw(5, 2), torch.full((5,), 30), torch.tensor([0, 1, 1, 0, 2])
    conditional, two = IDEAL(x, t, label), IDEAL(x, t, torch.full((5,), 2))
    expected = two + 7.3 * (conditional - two)
    for interval in (None, (0.0, 1.0)):
        guided = GuidedDenoiser(IDEAL, 7.3, negative=2, interval=interval)
        assert_close(guided(x, t, label), expected, atol=1e-12, rtol=1e-12)


def test_a_model_whose_config_knows_no_null_class_may_have_one():
    def denoiser(x, t, label):
        return x * label[:, None]

    denoiser.model = SimpleNamespace(config=SimpleNamespace(classes=3))
    guided = GuidedDenoiser(denoiser, 2.0, null_label=3)
    x, label = draw(2, 1), torch.tensor([1, 2])
    assert_close(guided(x, torch.ones(2), label), x * torch.tensor([[-1.0], [1.0]]))


def guide(denoiser=IDEAL, scale=2.0, **more):
    guided = GuidedDenoiser(denoiser, scale, **more)
    return guided(draw(3, 2), torch.full((3,), 9), torch.tensor([0, 1, 2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: guide(), "exactly one prediction .* but none was given"),
        (lambda: guide(null_label=3, negative=1), "null_label and negative was given"),
        (lambda: guide(network(null_class=False), null_label=5), "needs a model with a null class"),
        (lambda: guide(network(), null_label=3), "null_label must be 5, .* but it is 3"),
        (lambda: guide(scale=math.nan, negative=1), "guidance_scale must be a finite number, but it is nan"),
        (lambda: guide(scale=math.inf, negative=1), "guidance_scale must be a finite number"),
        (lambda: guide(negative=1, interval=(0.7, 0.2)), "low < high <= 1, but it is \\(0.7, 0.2"),
        (lambda: guide(negative=1, interval=(20, 400)), "fractions of T"),
        (lambda: guide(negative=1, interval=(0.5, 1.5)), "but it is \\(0.5, 1.5"),
        (lambda: guide(negative=1, interval=(0.3, 0.3)), "but it is \\(0.3, 0.3"),
        (lambda: guide(negative=1, weak=IDEAL), "negative and weak was given"),
        (lambda: guide(negative=1, clip=0.0), "clip must be above 0 or None, but it is 0.0"),
        (lambda: drop_labels(torch.tensor([0, 1]), -1, 0.5, torch.Generator()), "null_label is -1"),
        (lambda: drop_labels(torch.ones(2), 3, 0.5, torch.Generator()), "label has dtype torch.float32"),
        (lambda: guide(lambda x, t, y: x, negative=1, interval=(0.1, 0.2)), "says what T is"),
        (lambda: GuidedDenoiser(IDEAL, 2.0, negative=1)(draw(3, 2), torch.full((3,), 9)),
         "label must be given"),
        (lambda: drop_labels(torch.tensor([0, 1]), 2, 1.5, torch.Generator()), "cond_drop_prob must lie"),
        (lambda: drop_labels(torch.tensor([0, 1]), 1, 0.5, torch.Generator()), "of class 1"),
    ],
)  # fmt: skip
@pytest.mark.bad_input
def test_bad_input_is_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
