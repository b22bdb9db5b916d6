"""Training: resumes after a kill as if nothing had happened, and fails without losing anything."""

import errno
import io
import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attnoise.errors import CheckpointError, ConfigError, DataError, ShapeError
from attnoise.training.ema import EMA
from attnoise.training.loop import draw_batch, learning_rate, train


def make_model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 2))


def loss(model, generator):
    x = torch.randn(7, 3, generator=generator)
    return (model(x) - x[:, :2].square()).square().mean()


def load(content):
    return torch.load(io.BytesIO(content))


def saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def run(steps, model=None, **options):
    model = make_model() if model is None else model
    records = list(train(model, loss, steps, torch.Generator().manual_seed(1), **options))
    return model, records


def test_loss_falls_and_records_count_up():
    _, records = run(200, lr=1e-2)
    assert [r.step for r in records] == list(range(1, 201))
    mean = lambda part: sum(r.loss for r in part) / len(part)  # noqa: E731
    assert mean(records[-50:]) < 0.5 * mean(records[:10])


def test_rate_rises_to_the_peak_and_falls_to_a_tenth():
    rates = [learning_rate(step, 100, 2.0, 10) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([0.2 * i for i in range(1, 11)])
    assert rates[54] == pytest.approx(0.2 + 1.8 / 2)  # halfway down the cosine
    assert rates[99] == pytest.approx(0.2)
    assert learning_rate(140, 100, 2.0, 10) == pytest.approx(0.2)  # and stays there
    _, records = run(20, lr=2.0, warmup=4)
    assert [r.lr for r in records] == pytest.approx(
        [learning_rate(s, 20, 2.0, 4) for s in range(1, 21)]
    )


@pytest.mark.bad_input
def test_a_rate_of_no_step_is_refused():
    good = {"step": 1, "steps": 10, "peak": 1.0, "warmup": 0}
    assert learning_rate(**good) == pytest.approx(0.1 + 0.45 * (1 + math.cos(0.1 * math.pi)))
    for bad, message in (
        ({"step": 0}, "step must be a whole number of at least 1, but it is 0"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"warmup": -1}, "warmup must be a whole number of at least 0, but it is -1"),
        ({"peak": math.nan}, "peak must be above 0 and finite"),
    ):
        with pytest.raises(ConfigError, match=message):
            learning_rate(**{**good, **bad})


def test_long_gradients_are_cut_and_the_length_before_is_reported():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    steep = lambda model, generator: 1000 * model.weight.sum()  # noqa: E731
    seen = []
    optimizer_step = torch.optim.AdamW.step

    def spy(self, *args, **kwargs):
        seen.append(self.param_groups[0]["params"][0].grad.norm().item())
        return optimizer_step(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", spy)
        (record,) = train(model, steep, 1, torch.Generator(), clip=0.5)
    assert record.grad_norm == pytest.approx(1000)
    assert seen == pytest.approx([0.5], rel=1e-3)


def test_dropout_draws_from_the_generator_alone():
    def run(seed, junk):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.5), nn.Linear(16, 1))
        torch.manual_seed(junk)
        for _ in train(model, lambda m, g: m(torch.ones(3, 4)).square().mean(), 5,
                       torch.Generator().manual_seed(seed)):  # fmt: skip
            torch.rand(junk)  # somebody else draws from the global randomness in between
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(run(1, junk=2), run(1, junk=3))
    assert not torch.equal(run(1, junk=2), run(2, junk=2))


def test_ema_is_the_average_by_hand():
    model = make_model()
    ema = EMA(model, decay=0.8)
    by_hand = [p.detach().clone() for p in model.parameters()]
    for n, _ in enumerate(
        train(model, loss, 30, torch.Generator().manual_seed(1), ema=ema), start=1
    ):
        decay = min(0.8, (1 + n) / (10 + n))
        by_hand = [
            decay * m + (1 - decay) * p.detach()
            for m, p in zip(by_hand, model.parameters(), strict=True)
        ]
    assert ema.updates == 30
    for mean, expected, now in zip(
        ema.model.parameters(), by_hand, model.parameters(), strict=True
    ):
        assert_close(mean, expected)
        assert not torch.allclose(mean, now)


def test_batches_keep_rows_together_and_come_from_the_generator():
    x = torch.arange(11)
    a, b = draw_batch((x, 10 * x), 5, torch.Generator().manual_seed(0))
    again, _ = draw_batch((x, x), 5, torch.Generator().manual_seed(0))
    assert torch.equal(10 * a, b)
    assert torch.equal(a, again)
    with pytest.raises(ShapeError, match=r"same number of rows.*\[11, 7\]"):
        draw_batch((x, x[:7]), 5, torch.Generator())


def test_a_killed_run_ends_as_if_it_had_never_stopped(tmp_path):
    """Kill a process without warning in step 33; the next one goes on from the save at step 30."""
    whole = make_model()
    ema = EMA(whole, 0.9)
    run(50, whole, ema=ema)
    script = textwrap.dedent(f"""
        import os, signal
        from attnoise.training.ema import EMA
        from tests.training.test_loop import make_model, loss, train
        import torch
        model = make_model()
        ema = EMA(model, 0.9)
        for record in train(model, loss, 50, torch.Generator().manual_seed(1), ema=ema,
                            save_to={str(tmp_path / "run.pt")!r}, save_every=10):
            if record.step == 33:
                os.kill(os.getpid(), signal.SIGKILL)
    """)
    code = subprocess.run([sys.executable, "-c", script], env=os.environ).returncode
    assert code == -signal.SIGKILL
    resumed = make_model(seed=5)  # other weights: everything must come from the file
    resumed_ema = EMA(resumed, 0.9)
    _, records = run(50, resumed, ema=resumed_ema, save_to=tmp_path / "run.pt", save_every=10)
    assert records[0].step == 31
    for one, other in ((whole, resumed), (ema.model, resumed_ema.model)):
        for p, q in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(p, q)
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]


def test_nan_loss_stops_before_the_step():
    model = make_model()
    before = [p.detach().clone() for p in model.parameters()]
    bad = lambda model, generator: loss(model, generator) * float("nan")  # noqa: E731
    with pytest.raises(DataError, match="the loss is nan at step 1; the weights are those before"):
        list(train(model, bad, 5, torch.Generator()))
    for p, q in zip(model.parameters(), before, strict=True):
        assert torch.equal(p, q)


def test_nan_gradient_stops_before_the_step():
    model = make_model()
    before = [p.detach().clone() for p in model.parameters()]
    bad = lambda model, generator: (0 * model(torch.ones(1, 3))).square().sum().sqrt()  # noqa: E731
    with pytest.raises(
        DataError, match="the gradient's norm is nan at step 1; the weights are those"
    ):
        list(train(model, bad, 5, torch.Generator()))
    for p, q in zip(model.parameters(), before, strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[: len(b) // 2],
        lambda b: b[:-1],
        lambda b: bytes(len(b)),
        lambda b: b"nothing",
        lambda b: b"",
        lambda b: pickle.dumps({"step": 3}),
        lambda b: pickle.dumps(print),
        lambda b: b'{"a card": 1}',
        lambda b: saved({"step": "three"}),
        lambda b: saved([1, 2]),
        lambda b: saved({**load(b), "step": -1}),
        lambda b: saved({**load(b), "step": float("nan")}),
        lambda b: saved({**load(b), "model": {}}),
        lambda b: saved({**load(b), "generator": torch.zeros(3)}),
        lambda b: saved({**load(b), "optimizers": None}),
    ],
)
def test_damaged_save_is_refused_with_the_way_out(tmp_path, damage):
    path = tmp_path / "run.pt"
    run(10, save_to=path, save_every=5)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match="run.pt cannot be resumed from.*delete the file"):
        run(20, save_to=path)


def test_save_of_another_model_is_refused(tmp_path):
    run(10, save_to=tmp_path / "run.pt", save_every=5)
    with pytest.raises(CheckpointError, match="cannot be resumed from"):
        run(20, nn.Linear(3, 2), save_to=tmp_path / "run.pt")
    model = make_model()
    with pytest.raises(CheckpointError, match="keeps a moving average"):
        run(20, model, ema=EMA(model), save_to=tmp_path / "run.pt")


def test_full_disk_keeps_the_old_save_and_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    run(10, save_to=path, save_every=5)
    before = path.read_bytes()

    def no_space(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(CheckpointError, match="No space left on device; free some space"):
        run(20, save_to=path, save_every=5)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]


def test_looks_are_as_rare_as_asked_for():
    bad = lambda model, generator: loss(model, generator) * float("nan")  # noqa: E731
    with pytest.raises(DataError, match="the loss is nan at step 3"):
        list(train(make_model(), bad, 5, torch.Generator(), check_every=3))


def test_half_precision_and_compiled_runs_are_near_the_plain_one():
    _, plain = run(8, lr=1e-2)
    _, half = run(8, lr=1e-2, bf16=True)
    assert plain[-1].loss == pytest.approx(half[-1].loss, rel=0.05)
    assert [r.loss for r in plain] != [r.loss for r in half]


def test_compile_compiles_the_model_in_place(monkeypatch):
    model, compiled = make_model(), []
    monkeypatch.setattr(model, "compile", lambda: compiled.append(True))
    run(1, model, compile=True)
    assert compiled == [True]


def test_no_progress_bar_without_a_person(capfd):
    run(5)
    assert capfd.readouterr().err == ""


def test_a_bar_for_those_who_ask(capfd, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook.ipynb")
    run(5)
    assert "0/5" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0}, "lr = 0"),
        ({"lr": float("nan")}, "lr = nan"),
        ({"clip": -1}, "clip = -1"),
        ({"clip": float("nan")}, "clip = nan"),
        ({"weight_decay": float("nan")}, "weight_decay must be finite.* nan"),
        ({"warmup": float("nan")}, "warmup = nan"),
        ({"accumulate": 0}, "accumulate = 0"),
        ({"check_every": 0}, "check_every = 0"),
        ({"save_every": 0}, "save_every = 0"),
        ({"accumulate": 1.5}, "accumulate must be a whole number of at least 1"),
        ({"warmup": 2.5}, "warmup must be a whole number of at least 0, but warmup = 2.5"),
    ],
)
def test_bad_settings_are_named_before_the_first_step(options, message):
    with pytest.raises(ConfigError, match=message):
        train(make_model(), loss, 5, torch.Generator(), **options)
    with pytest.raises(ConfigError, match="decay must lie in"):
        EMA(make_model(), decay=1.0)
