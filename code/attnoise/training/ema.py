"""A moving average of a model's weights, which often scores better than the weights themselves."""

import copy

import torch
from torch import Tensor, nn

from ..errors import ConfigError


class EMA:
    """Exponential moving average of a model's weights, kept in a second copy of the model.

    average <- decay_n average + (1 - decay_n) weights, decay_n = min(decay, (1 + n) / (10 + n))

    The decay starts low, so that the average soon forgets the untrained weights. Buffers are
    copied, not averaged.

    Args:
        model: The model that is trained; `EMA.model` is the averaged copy, without gradients.
        decay: How much of the average each step keeps, in [0, 1).

    Raises:
        ConfigError: decay lies outside [0, 1).

    Source: Polyak & Juditsky 1992; the warm-up of the decay is TensorFlow's
        ExponentialMovingAverage with num_updates.
    Differs: torch.optim.swa_utils.AveragedModel counts its updates in a tensor, which a decay that
        depends on the count would have to read back from the device in every step.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ConfigError(f"decay must lie in [0, 1), but it is {decay}; 0.999 is usual.")
        self.decay, self.updates = decay, 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model's weights, once."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages: list[Tensor] = list(self.model.parameters())
        weights: list[Tensor] = list(model.parameters())
        torch._foreach_lerp_(averages, weights, 1 - decay)
        for copied, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            copied.copy_(buffer)
