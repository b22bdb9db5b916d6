"""The GPU benchmark's parts, on a CPU and at a tiny size: they count, train and refuse rightly."""

import sys
from itertools import pairwise

import pytest
import torch
from benchmarks import gpt_gpu
from benchmarks.gpt_gpu import Point

from attnoise.transformers import GPT, GPT_PRESETS, BlockConfig, GPTConfig

CPU = torch.device("cpu")
TINY = GPTConfig(
    vocab=5,
    max_length=7,
    depth=2,
    block=BlockConfig(d=6, heads=3, causal=True, bias=False, dropout=0.1),
)


def test_operations_by_hand():
    halves = 4 * 6 * 6 + 2 * 6 * 24  # attention's four matrices and the MLP's two
    count = 5 * 6 + 2 * (halves + 2 * 6) + 6  # with the norms; the positions do not count
    assert gpt_gpu.operations_per_token(GPT(TINY)) == 6 * count + 12 * 2 * 6 * 7


def test_operations_agree_with_the_published_share():
    with torch.device("meta"):
        gpt2 = GPT(GPT_PRESETS["gpt2"])
    share = gpt_gpu.operations_per_token(gpt2) * 495_000 / gpt_gpu.peak_of("NVIDIA H100 80GB HBM3")
    assert share == pytest.approx(0.43, abs=0.005)


def test_peaks_by_name():
    assert gpt_gpu.peak_of("NVIDIA H100 PCIe") < gpt_gpu.peak_of("NVIDIA H100 80GB HBM3")
    assert gpt_gpu.peak_of("an unknown card") is None


def test_speed_counts_the_tokens_of_every_step(monkeypatch):
    ticks = iter(range(100))  # the clock gives one second to each run of steps
    monkeypatch.setattr(gpt_gpu, "synchronised_clock", lambda device: float(next(ticks)))
    speed, model = gpt_gpu.measure_speed(TINY, CPU, batch=3, steps=2, compiled=False)
    assert speed == 2 * 3 * 7
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())


def test_training_learns_a_rhythm_and_tells_its_time():
    text = torch.tensor([0, 1, 2, 3, 4] * 60)
    options = {"batch": 11, "steps": 120, "every": 40, "lr": 2e-2, "compiled": False}
    points = list(gpt_gpu.train_characters(TINY, text, text[:53], **options))
    assert [point.step for point in points] == [40, 80, 120]
    assert all(0 < a.seconds < b.seconds for a, b in pairwise(points))
    assert points[-1].loss < 0.5 < torch.log(torch.tensor(5.0))  # each token tells the next
    again = list(gpt_gpu.train_characters(TINY, text, text[:53], **options))
    assert [point.loss for point in again] == [point.loss for point in points]


def test_summary_takes_the_first_at_the_goal_and_the_best():
    points = [
        Point(50, 1.0, 1.6),
        Point(100, 2.0, 1.47),
        Point(150, 3.0, 1.4),
        Point(200, 4.0, 1.5),
    ]
    assert gpt_gpu.summarise(points, 1.47) == (points[1], points[2])
    assert gpt_gpu.summarise(points, 1.3) == (None, points[2])


def test_a_text_of_ones_own_keeps_its_last_tenth(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("ab" * 45 + "c" * 10, encoding="utf8")
    train, unseen, vocab = gpt_gpu.read_characters(path)
    assert (len(train), len(unseen), vocab) == (90, 10, 3)
    assert set(train.tolist()).isdisjoint(unseen.tolist())


def test_without_a_gpu_it_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpt_gpu"])
    with pytest.raises(SystemExit, match="needs a CUDA GPU, but torch sees none"):
        gpt_gpu.main()
