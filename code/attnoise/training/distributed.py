"""Training on several processes with torch's own engine: DistributedDataParallel and FSDP2.

    torchrun --nproc-per-node 2 train_something.py

A step averages the gradients of `accumulate` batches. Each batch has a generator of its own, seeded
by one draw from the run's generator, which is the same in every process; process r of w takes the
batches r, r + w, r + 2w, ... So the rows and the noise of a step are the same ones whatever the
number of processes, each process draws and reads only its own, and a run that was stopped goes on
with another number of processes.

If a process dies, the others' next exchange fails, or waits no longer than TIMEOUT, and torchrun
ends them all and names the one that died. Start the same command again to go on from the last save.
"""

import atexit
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import ConfigError, ShapeError
from .ema import EMA

TIMEOUT = timedelta(minutes=10)


def join_processes() -> tuple[int, int]:
    """Join the processes that torchrun started, once, and return this one's rank and their number.

    Without torchrun there is one process: (0, 1). GPUs talk by NCCL, all else by gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group(timeout=TIMEOUT)
        atexit.register(leave_processes)
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def leave_processes() -> None:
    """Leave the other processes; done by itself when a process ends."""
    if dist.is_initialized():
        dist.destroy_process_group()


def local_device() -> torch.device:
    """Return the device that belongs to this process: its own GPU if there are any, or the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


class LossOf(nn.Module):
    """A model and its loss as one module, so that torch's wrappers see a forward pass.

    The loss meets the bare model, with all its methods and its config.
    """

    def __init__(self, model: nn.Module, loss: Callable) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, generator: torch.Generator) -> Float[Tensor, ""]:
        """Draw a batch and return its loss."""
        return self.loss(self.model, generator)


class Step:
    """The gradient of one step, averaged over batches and processes: see the module's text.

    Args:
        module: A LossOf, bare, in DistributedDataParallel, or sharded.
        accumulate: Batches of a step, of all processes together.
        bf16: Compute the loss under bfloat16 autocast.
    """

    def __init__(self, module: nn.Module, accumulate: int, bf16: bool) -> None:
        self.module, self.accumulate, self.bf16 = module, accumulate, bf16
        self.rank, self.world = join_processes()
        parts = list(module.modules())
        self.drops = any(isinstance(part, nn.Dropout) and part.p > 0 for part in parts)

    def generators(self, generator: torch.Generator) -> list[torch.Generator]:
        """Return the generators of this process's batches; a single batch takes the run's own."""
        if self.accumulate == 1:
            return [generator]
        seeds = torch.randint(
            2**62, (self.accumulate,), generator=generator, device=generator.device
        )
        mine = seeds[self.rank :: self.world].tolist()
        return [torch.Generator(generator.device).manual_seed(seed) for seed in mine]

    def backward(self, generator: torch.Generator) -> Float[Tensor, ""]:
        """Compute the gradient of the mean loss; return that loss, the same in all processes."""
        generators = self.generators(generator)
        parts: list[Tensor] = []
        for i, own in enumerate(generators):
            final = i == len(generators) - 1
            with self._exchange(final), seeded_dropout(own) if self.drops else nullcontext():
                value = self._loss(own) / len(generators)
                value.backward()
            parts.append(value.detach())
        total = torch.stack(parts).sum()
        if self.world > 1:
            dist.all_reduce(total)
            total /= self.world
        return total

    def _loss(self, generator: torch.Generator) -> Float[Tensor, ""]:
        device = next(self.module.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.bf16):
            value = self.module(generator)
        if value.shape != ():
            raise ShapeError(
                f"loss must return a scalar, but it returned the shape {tuple(value.shape)}; "
                "take the mean."
            )
        return value.float()

    @contextmanager
    def _exchange(self, final: bool) -> Iterator[None]:
        """Let processes exchange gradients after the last of their batches alone."""
        if isinstance(self.module, DistributedDataParallel) and not final:
            with self.module.no_sync():
                yield
            return
        if (sync := getattr(self.module, "set_requires_gradient_sync", None)) is not None:
            sync(final)  # of a sharded module
        yield


def prepare(
    model: nn.Module,
    loss: Callable,
    ema: EMA | None,
    accumulate: int,
    bf16: bool,
    compile: bool,
    shard: bool,
) -> Step:
    """Compile a model, split or copy it over the processes, and return what computes its gradient.

    Raises:
        ConfigError: The processes cannot share the batches evenly, or there are none to shard over.
    """
    _, world = join_processes()
    if accumulate % world:
        raise ConfigError(
            f"accumulate must be a multiple of the number of processes, but accumulate = "
            f"{accumulate} and there are {world}; each takes as many batches of a step."
        )
    if shard and not dist.is_initialized():
        raise ConfigError("shard = True needs several processes; start the script with torchrun.")
    if compile:
        model.compile()
    module: nn.Module = LossOf(model, loss)
    if shard:
        split(module)
        if ema is not None:
            split(ema.model)
    elif world > 1:
        module = DistributedDataParallel(module)
    return Step(module, accumulate, bf16)


def split(module: nn.Module) -> None:
    """Shard a module over all processes, in place: each block by itself, then what is left.

    Source: FSDP2, torch.distributed.fsdp.fully_shard; Zhao et al. 2023, arXiv:2304.11277.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    kind = next(module.parameters()).device.type
    mesh = init_device_mesh(kind, (dist.get_world_size(),))
    for name, part in list(module.named_modules()):
        if name.rpartition(".")[0].endswith("blocks"):
            fully_shard(part, mesh=mesh)
    fully_shard(module, mesh=mesh)


def whole(value: Tensor) -> Tensor:
    """Gather a tensor that is sharded; any other is returned as it is."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value


@contextmanager
def seeded_dropout(generator: torch.Generator) -> Iterator[None]:
    """Let torch's global randomness, from which dropout draws, follow a generator for a while.

    A generator on a GPU is read back once; one on the CPU makes no device wait.
    """
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    with torch.random.fork_rng():
        torch.manual_seed(int(seed))
        yield
