"""The training loop of the book: a generator that yields a small record after each step."""

import io
import math
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import CheckpointError, ConfigError, DataError, ShapeError
from .ema import EMA
from .files import write_atomically
from .optimizers import make_optimizers


class Record(NamedTuple):
    """One training step: its number from 1, the loss, the learning rate, the gradient's norm."""

    step: int
    loss: float
    lr: float
    grad_norm: float


def learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Rise in a straight line for `warmup` steps, then fall along a cosine to a tenth of the peak.

    Args:
        step: The step about to be taken, from 1.
        steps: How many there will be.
        peak: The highest rate.
        warmup: Steps until the peak is reached.
    """
    if step <= warmup:
        return peak * step / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return peak * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


def draw_batch(
    tensors: tuple[Tensor, ...], size: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Pick `size` rows at random, the same ones from each tensor, with replacement.

    Raises:
        ShapeError: The tensors have different numbers of rows, or none.
    """
    lengths = {len(tensor) for tensor in tensors}
    if len(lengths) != 1 or lengths == {0}:
        raise ShapeError(
            f"tensors must all have the same number of rows, at least one, but they have "
            f"{[len(tensor) for tensor in tensors]}."
        )
    rows = torch.randint(lengths.pop(), (size,), generator=generator)
    return tuple(tensor[rows] for tensor in tensors)


def train(
    model: nn.Module,
    loss: Callable[[nn.Module, torch.Generator], Float[Tensor, ""]],
    steps: int,
    generator: torch.Generator,
    *,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    warmup: int = 50,
    clip: float = 1.0,
    ema: EMA | None = None,
    optimizer: str = "adamw",
    save_to: str | os.PathLike | None = None,
    save_every: int = 500,
) -> Iterator[Record]:
    """Train a model, one step each time the next record is asked for.

    Args:
        model: Changed in place; left in training mode.
        loss: Called as loss(model, generator); draws its own batch and returns a scalar.
        steps: How many steps there are in all.
        generator: The one source of randomness, handed to the loss; dropout draws from it too.
        lr: Peak learning rate; see `learning_rate` for its course.
        weight_decay: On matrices alone.
        warmup: Steps until the peak.
        clip: Gradients longer than this are cut to it.
        ema: An average to update after each step.
        optimizer: "adamw", or "muon" for the matrices of the blocks.
        save_to: A file that holds everything needed to go on: if it exists, training resumes
            from it and ends with the same weights as if it had never stopped.
        save_every: Steps between saves; a kill loses no more than these.

    Yields:
        A `Record` after each step that was taken here.

    Raises:
        ConfigError: steps, lr, warmup or clip make no sense.
        DataError: The loss or its gradient is NaN or infinite; the weights are those before.
        CheckpointError: The saved file is damaged or cannot be written.
    """
    if steps < 1 or lr <= 0 or clip <= 0 or warmup < 0 or save_every < 1:
        raise ConfigError(
            "train needs steps, lr, clip and save_every above 0 and warmup of at least 0, but got "
            f"steps = {steps}, lr = {lr}, clip = {clip}, save_every = {save_every}, "
            f"warmup = {warmup}."
        )
    optimizers = make_optimizers(model, lr, weight_decay, optimizer)
    state = {"model": model, "optimizers": optimizers, "generator": generator, "ema": ema}
    first = 1 if save_to is None else load_state(save_to, state) + 1
    return _steps(model, loss, range(first, steps + 1), steps, state, lr, warmup, clip, save_to,
                  save_every)  # fmt: skip


def _steps(model, loss, remaining, steps, state, lr, warmup, clip, save_to, save_every):
    model.train()
    drops = any(isinstance(m, nn.Dropout) and m.p > 0 for m in model.modules())
    for step in progress_bar(remaining):
        rate = learning_rate(step, steps, lr, warmup)
        for group in (g for optimizer in state["optimizers"] for g in optimizer.param_groups):
            group["lr"] = rate
        with seeded_dropout(state["generator"]) if drops else nullcontext():
            value = loss(model, state["generator"])
        if not bool(torch.isfinite(value)):
            raise DataError(
                f"the loss is {value.item()} at step {step}; the weights are those before it. "
                "Usual causes: NaN in the data, a learning rate that is too high, a log of zero."
            )
        model.zero_grad()
        value.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
        if not bool(torch.isfinite(norm)):
            raise DataError(
                f"the gradient's norm is {norm.item()} at step {step}; the weights are those "
                "before it. Usual causes: the root or the logarithm of zero in the loss."
            )
        for optimizer in state["optimizers"]:
            optimizer.step()
        if state["ema"] is not None:
            state["ema"].update(model)
        if save_to is not None and (step % save_every == 0 or step == steps):
            save_state(save_to, step, state)
        yield Record(step, value.item(), rate, norm.item())


@contextmanager
def seeded_dropout(generator: torch.Generator) -> Iterator[None]:
    """Let torch's global randomness, from which dropout draws, follow a generator for a while."""
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        yield


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


def save_state(path: str | os.PathLike, step: int, state: dict[str, Any]) -> None:
    """Save everything that training needs to go on, whole or not at all."""
    ema = state["ema"]
    content = {
        "step": step,
        "model": state["model"].state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in state["optimizers"]],
        "generator": state["generator"].get_state(),
        "ema": None if ema is None else {"model": ema.model.state_dict(), "updates": ema.updates},
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically({path: buffer.getvalue()})


def load_state(path: str | os.PathLike, state: dict[str, Any]) -> int:
    """Put a saved state back and return its step; 0 if nothing was saved yet.

    Raises:
        CheckpointError: The file is damaged or belongs to another model.
    """
    if not Path(path).exists():
        return 0
    ema = state["ema"]
    try:
        content = torch.load(path, weights_only=True)
        if (content["ema"] is None) != (ema is None):
            raise ValueError("one of the runs keeps a moving average, the other does not")
        state["model"].load_state_dict(content["model"])
        for optimizer, saved in zip(state["optimizers"], content["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        state["generator"].set_state(content["generator"])
        if ema is not None:
            ema.model.load_state_dict(content["ema"]["model"])
            ema.updates = content["ema"]["updates"]
    except (RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError, OSError) as error:
        reason = (str(error) or "it is empty").splitlines()[0]
        raise CheckpointError(
            f"{path} cannot be resumed from: {reason}; "
            "delete the file to start from the first step."
        ) from error
    return content["step"]
