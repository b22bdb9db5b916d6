"""A small run for the tests of several processes: started by torchrun, it writes its losses.

python -m torch.distributed.run --nproc-per-node 2 tests/training/worker.py OUT OPTIONS_AS_JSON
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from attnoise.training.ema import EMA
from attnoise.training.loop import train


class Small(nn.Module):
    """A network with hidden matrices in `blocks`, dropout, and a method besides forward."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(3, 7)
        self.blocks = nn.ModuleList(nn.Linear(7, 7, bias=False) for _ in range(2))
        self.drop, self.head = nn.Dropout(0.2), nn.Linear(7, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.read(x)
        for block in self.blocks:
            x = x + self.drop(block(x).tanh())
        return self.head(x)

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(self(x), y)


def loss(model: Small, generator: torch.Generator) -> torch.Tensor:
    x = torch.randn(5, 3, generator=generator)
    noise = 0.1 * torch.randn(5, 1, generator=generator)
    return model.loss(x, x.prod(dim=1, keepdim=True) + noise)


def run(steps: int, kill: int | None = None, **options) -> tuple[list[float], list[float], list]:
    """Train and return the losses, the lengths of the gradients and the averaged weights."""
    torch.manual_seed(0)
    model = Small()
    ema, losses, norms = EMA(model, 0.9), [], []
    generator = torch.Generator().manual_seed(1)
    for record in train(model, loss, steps, generator, ema=ema, lr=1e-2, warmup=3, **options):
        losses.append(record.loss)
        norms.append(record.grad_norm)
        if record.step == kill and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)
    weights = [getattr(p, "full_tensor", lambda p=p: p)().tolist() for p in ema.model.parameters()]
    return losses, norms, weights


if __name__ == "__main__":
    found = run(**json.loads(sys.argv[2]))
    if os.environ["RANK"] == "0":
        Path(sys.argv[1]).write_text(json.dumps(found))
