"""adaLN-Zero: a condition that shifts, scales and gates the sublayers of a block."""

from jaxtyping import Float
from torch import Tensor, nn


class Modulation(nn.Module):
    """Turn a condition into shift, scale and gate of a block's two sublayers (adaLN-Zero).

    Six vectors = Linear(SiLU(condition)); the Linear starts at zero, so that at the start every
    shift, scale and gate is zero and the block hands its input on unchanged.

    Source: Peebles & Xie 2022, section 3.2, arXiv:2212.09748.
    """

    def __init__(self, condition_width: int, d: int) -> None:
        super().__init__()
        self.activation = nn.SiLU()
        self.to_vectors = nn.Linear(condition_width, 6 * d)
        nn.init.zeros_(self.to_vectors.weight)
        nn.init.zeros_(self.to_vectors.bias)

    def forward(self, condition: Float[Tensor, "b c"]) -> tuple[Float[Tensor, "b 1 d"], ...]:
        """Return shift, scale and gate of attention, then those of the network on each token."""
        return self.to_vectors(self.activation(condition))[:, None, :].chunk(6, dim=-1)


def modulate(
    x: Float[Tensor, "b n d"], shift: Float[Tensor, "b 1 d"], scale: Float[Tensor, "b 1 d"]
) -> Float[Tensor, "b n d"]:
    """Scale and shift what was normalised: (1 + scale) x + shift."""
    return (1 + scale) * x + shift
