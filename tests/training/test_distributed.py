"""Several processes: the same losses as one, however many they are, and no loss by a kill."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.training import worker
from torch import nn

from attnoise.errors import ConfigError, ShapeError
from attnoise.training.distributed import Step, join_processes, local_device
from attnoise.training.loop import train

ROOT = Path(__file__).parents[2]


def launch(processes: int, out: Path, **options) -> subprocess.CompletedProcess:
    """Start torchrun on the worker; what it found is read by `found`."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        "--nproc-per-node", str(processes), worker.__file__, str(out), json.dumps(options),
    ]  # fmt: skip
    path = os.pathsep.join([str(ROOT / "code"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def found(processes: int, tmp_path: Path, **options):
    out = tmp_path / "found.json"
    done = launch(processes, out, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


def close(one, other) -> None:
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(torch.tensor(a), torch.tensor(b), atol=1e-5, rtol=1e-4)


def same(one, other) -> None:
    for i in (0, 1):
        close([one[i]], [other[i]])
    close(one[2], other[2])


@pytest.mark.parametrize(
    ("processes", "options"),
    [(2, {"optimizer": "muon"}), (2, {"shard": True}), (4, {})],
    ids=["two, DDP, Muon", "two, FSDP2", "four, DDP"],
)
def test_a_step_is_the_same_on_any_number_of_processes(processes, options, tmp_path):
    alone = {name: value for name, value in options.items() if name != "shard"}
    one = worker.run(6, accumulate=4, **alone)
    assert one[0][0] != one[0][1]
    same(one, found(processes, tmp_path, steps=6, accumulate=4, **options))


def test_a_killed_process_ends_the_run_and_another_number_of_them_goes_on(tmp_path):
    save = {"accumulate": 4, "save_to": str(tmp_path / "run.pt"), "save_every": 2}
    done = launch(2, tmp_path / "out", steps=8, kill=5, **save)
    assert done.returncode != 0
    assert "Signal 9 (SIGKILL)" in done.stderr
    whole = worker.run(8, accumulate=4)
    resumed = worker.run(8, **save)  # one process goes on from step 4
    assert len(resumed[0]) == 4
    same([whole[0][4:], whole[1][4:], whole[2]], resumed)


def test_a_sharded_run_goes_on_where_one_process_stopped(tmp_path):
    save = {"accumulate": 2, "save_to": str(tmp_path / "run.pt"), "save_every": 3}
    whole = worker.run(6, accumulate=2)
    records = iterate_until(3, save)
    assert records == [1, 2, 3]
    resumed = found(2, tmp_path, steps=6, shard=True, **save)
    same([whole[0][3:], whole[1][3:], whole[2]], resumed)


def iterate_until(last: int, save: dict) -> list[int]:
    """Train as the worker does, but stop after a step, as a person does who closes a notebook."""
    torch.manual_seed(0)
    model, steps = worker.Small(), []
    generator = torch.Generator().manual_seed(1)
    ema = worker.EMA(model, 0.9)
    for record in train(model, worker.loss, 6, generator, ema=ema, lr=1e-2, warmup=3, **save):
        steps.append(record.step)
        if record.step == last:
            break
    return steps


def test_batches_are_shared_out_evenly_and_none_twice():
    step = Step(nn.Linear(1, 1), 6, False)
    step.world = 3
    seeds = []
    for step.rank in range(3):
        own = step.generators(torch.Generator().manual_seed(0))
        assert len(own) == 2
        seeds += [generator.initial_seed() for generator in own]
    assert len(set(seeds)) == 6


def test_one_process_needs_no_launcher():
    assert join_processes() == (0, 1)
    assert local_device().type in ("cpu", "cuda")


def test_accumulated_batches_are_averaged():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)

    def loss(model, generator):
        return model.weight.sum() * torch.rand((), generator=generator)

    (record,) = train(model, loss, 1, torch.Generator().manual_seed(0), accumulate=64)
    assert abs(record.loss - 0.5) < 0.15
    assert record.grad_norm == pytest.approx(record.loss, rel=1e-5)


@pytest.mark.bad_input
def test_bad_options_are_named(monkeypatch):
    model, generator = worker.Small(), torch.Generator()
    with pytest.raises(ConfigError, match="shard = True needs several processes"):
        train(model, worker.loss, 1, generator, shard=True)
    with pytest.raises(ShapeError, match=r"loss must return a scalar.*\(5, 1\); take the mean"):
        list(train(model, lambda m, g: m(torch.ones(5, 3)), 1, generator))
    monkeypatch.setattr("attnoise.training.distributed.join_processes", lambda: (0, 2))
    with pytest.raises(ConfigError, match="accumulate = 3 and there are 2"):
        train(model, worker.loss, 1, generator, accumulate=3)
