"""The training loop of the book: a generator that yields a small record after each step."""

import math
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..checks import check_counts, check_positive, check_sizes
from ..errors import ConfigError, DataError, ShapeError
from . import distributed
from .ema import EMA
from .optimizers import make_optimizers
from .resume import load_state, save_state

Loss = Callable[[nn.Module, torch.Generator], Float[Tensor, ""]]


@dataclass(frozen=True)
class Record:
    """One training step: its number from 1, the loss, the learning rate, the gradient's norm.

    The two numbers that a device has computed stay there until they are asked for, because to
    read one back makes a GPU wait: `loss` and `grad_norm` are Python numbers, read on demand.
    """

    step: int
    lr: float
    loss_on_device: Float[Tensor, ""]
    grad_norm_on_device: Float[Tensor, ""]

    @property
    def loss(self) -> float:
        """The loss of the step's batch, in the unit of the loss."""
        return self.loss_on_device.item()

    @property
    def grad_norm(self) -> float:
        """The Euclidean length of the whole gradient, before it was cut."""
        return self.grad_norm_on_device.item()


def learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Linear warm-up, then cosine decay to a tenth of the peak, where it stays.

    Args:
        step: The step about to be taken, from 1.
        steps: How many there will be.
        peak: The highest rate.
        warmup: Steps until the peak is reached; 0 starts there.

    Raises:
        ConfigError: step or steps is below 1, warmup below 0, or peak not above 0 and finite.

    Differs: torch's LambdaLR and SequentialLR keep a count that a checkpoint must carry; the rate
        here is a function of the step alone.
    """
    check_sizes(step=step, steps=steps)
    check_counts(warmup=warmup)
    check_positive(peak=peak)
    if step <= warmup:
        return peak * step / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


def draw_batch(
    tensors: tuple[Tensor, ...], size: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Draw a random batch: `size` rows with replacement, the same ones from each tensor.

    Args:
        tensors: All with as many rows.
        size: Rows of the batch.
        generator: Draws the rows, on its own device; one on the CPU picks the same rows anywhere.

    Raises:
        ShapeError: The tensors have different numbers of rows, or none.
        ConfigError: size is below 1.
    """
    lengths = {len(tensor) for tensor in tensors}
    if len(lengths) != 1 or lengths == {0}:
        raise ShapeError(
            f"tensors must all have the same number of rows, at least one, but they have "
            f"{[len(tensor) for tensor in tensors]}."
        )
    check_sizes(size=size)
    rows = torch.randint(lengths.pop(), (size,), generator=generator, device=generator.device)
    return tuple(tensor[rows.to(tensor.device)] for tensor in tensors)


def train(
    model: nn.Module,
    loss: Loss,
    steps: int,
    generator: torch.Generator,
    *,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    warmup: int = 50,
    clip: float = 1.0,
    ema: EMA | None = None,
    optimizer: str = "adamw",
    accumulate: int = 1,
    bf16: bool = False,
    compile: bool = False,
    shard: bool = False,
    check_every: int | None = None,
    save_to: str | os.PathLike | None = None,
    save_every: int = 500,
) -> Iterator[Record]:
    """Train a model, one step each time the next record is asked for.

    Under `torchrun` it trains on all processes together: see `attnoise.training.distributed`.

    Args:
        model: Changed in place; left in training mode.
        loss: Called as loss(model, generator); draws its own batch and returns a scalar.
        steps: How many steps there are in all.
        generator: The one source of randomness, handed to the loss; dropout draws from it too.
            Keep it on the CPU: then the same numbers are drawn for every device.
        lr: Peak learning rate; see `learning_rate` for its course.
        weight_decay: On matrices alone.
        warmup: Steps until the peak.
        clip: Gradients longer than this are cut to it.
        ema: An average to update after each step.
        optimizer: "adamw", or "muon" for the matrices of the blocks.
        accumulate: Batches whose gradients are averaged in one step. With more than one, each has
            a generator of its own, so that several processes can share them out.
        bf16: Run the loss under bfloat16 autocast.
        compile: Compile the model with torch.compile.
        shard: Split weights, gradients and optimiser over the processes (FSDP2).
        check_every: Steps between looks at loss and gradient; without it every step on a CPU and
            every 50th elsewhere, where a look makes the device wait. Saves look, too.
        save_to: A file that holds everything needed to go on: if it exists, training resumes
            from it and ends with the same weights as if it had never stopped.
        save_every: Steps between saves; a kill loses no more than these.

    Yields:
        A `Record` after each step that was taken here.

    Raises:
        ConfigError: An option makes no sense.
        DataError: The loss or its gradient is NaN or infinite; checked at every step, the weights
            are those before it.
        CheckpointError: The saved file is damaged or cannot be written.
    """
    at_least = {"steps": (steps, 1), "warmup": (warmup, 0), "save_every": (save_every, 1),
                "accumulate": (accumulate, 1), "check_every": (check_every, 1)}  # fmt: skip
    for name, (value, least) in at_least.items():
        if value is not None and not (isinstance(value, Integral) and value >= least):
            raise ConfigError(
                f"{name} must be a whole number of at least {least}, but {name} = {value}."
            )
    for name, number in {"lr": lr, "clip": clip}.items():
        if not 0 < number < math.inf:
            raise ConfigError(f"{name} must be above 0 and finite, but {name} = {number}.")
    device = next(model.parameters()).device
    check_every = check_every or (1 if device.type == "cpu" else 50)
    step = distributed.prepare(model, loss, ema, accumulate, bf16, compile, shard)
    optimizers = make_optimizers(model, lr, weight_decay, optimizer, whole=not shard)
    state = {"model": model, "optimizers": optimizers, "generator": generator, "ema": ema}
    first = 1 if save_to is None else load_state(save_to, state) + 1
    rates = [learning_rate(n, steps, lr, warmup) for n in range(first, steps + 1)]
    return _steps(step, state, first, rates, clip, check_every, save_to, save_every)


def _steps(
    step: distributed.Step,
    state: dict[str, Any],
    first: int,
    rates: list[float],
    clip: float,
    check_every: int,
    save_to: str | os.PathLike | None,
    save_every: int,
) -> Iterator[Record]:
    model, last = state["model"].train(), first + len(rates) - 1
    for number in progress_bar(range(first, last + 1)):
        rate = rates[number - first]
        for group in (g for optimizer in state["optimizers"] for g in optimizer.param_groups):
            group["lr"] = rate
        saves = save_to is not None and (number % save_every == 0 or number == last)
        looks = saves or number % check_every == 0
        model.zero_grad()
        value = step.backward(state["generator"])
        norm = distributed.whole(nn.utils.clip_grad_norm_(model.parameters(), clip))
        if looks:
            check_finite(value, norm, number)
        for optimizer in state["optimizers"]:
            optimizer.step()
        if state["ema"] is not None:
            state["ema"].update(model)
        if saves and save_to is not None:
            save_state(save_to, number, state)
        yield Record(number, rate, value, norm)


def check_finite(loss: Float[Tensor, ""], norm: Float[Tensor, ""], step: int) -> None:
    """Stop a run whose loss or gradient is NaN or infinite, before they reach the weights.

    Raises:
        DataError: One of them is not finite.
    """
    if not bool(torch.isfinite(loss)):
        raise DataError(
            f"the loss is {loss.item()} at step {step}; the weights are those before it. "
            "Usual causes: NaN in the data, a learning rate that is too high, a log of zero."
        )
    if not bool(torch.isfinite(norm)):
        raise DataError(
            f"the gradient's norm is {norm.item()} at step {step}; the weights are those "
            "before it. Usual causes: the root or the logarithm of zero in the loss."
        )


def progress_bar(steps: range) -> Any:
    """Show a progress bar, but only to a person: in Jupyter, on Colab, on a terminal.

    A Jupyter server names its sessions in JPY_SESSION_NAME; tools that run notebooks do not, so
    that no bar is ever stored.
    """
    in_notebook = "JPY_SESSION_NAME" in os.environ or "google.colab" in sys.modules
    if not (in_notebook or sys.stderr.isatty()):
        return steps
    from tqdm.auto import tqdm

    return tqdm(steps, leave=False)
