"""One transformer block, pre-norm, with a door through which a condition may come in."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..attention import MultiHeadAttention
from ..errors import ConfigError, ShapeError


class Modulation(nn.Module):
    """Turn a condition into shift, scale and gate for the two halves of a block (adaLN-Zero).

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
        return self.to_vectors(self.activation(condition))[:, None, :].chunk(6, dim=-1)


class Block(nn.Module):
    """Attention, then a two-layer network on each token, each added to the residual stream.

    x = x + Attention(LayerNorm(x)); x = x + MLP(LayerNorm(x))

    With a condition, each half becomes x = x + gate * f((1 + scale) * LayerNorm(x) + shift).

    Args:
        d: Model width.
        heads: Number of attention heads; must divide d.
        kv_heads: Number of key/value heads; `heads` if not given.
        mlp_ratio: Hidden width of the two-layer network, in multiples of d.
        condition_width: Width of the condition; without it the block takes none.

    Raises:
        ConfigError: The heads do not divide, or mlp_ratio < 1.

    Source: Vaswani et al. 2017, section 3, arXiv:1706.03762; norm before each half: Xiong et al.
        2020, arXiv:2002.04745; condition: Peebles & Xie 2022, arXiv:2212.09748.
    """

    def __init__(
        self,
        d: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        mlp_ratio: int = 4,
        condition_width: int | None = None,
    ) -> None:
        super().__init__()
        if mlp_ratio < 1:
            raise ConfigError(f"mlp_ratio must be at least 1, but it is {mlp_ratio}; 4 is usual.")
        affine = condition_width is None  # a condition brings its own scale and shift
        self.attention_norm = nn.LayerNorm(d, elementwise_affine=affine)
        self.attention = MultiHeadAttention(d, heads, kv_heads=kv_heads)
        self.mlp_norm = nn.LayerNorm(d, elementwise_affine=affine)
        self.mlp = nn.Sequential(
            nn.Linear(d, mlp_ratio * d), nn.GELU(), nn.Linear(mlp_ratio * d, d)
        )
        self.modulation = None if condition_width is None else Modulation(condition_width, d)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Bool[Tensor, "..."] | None = None,
        condition: Float[Tensor, "b c"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Run the block.

        Args:
            x: The residual stream.
            mask: Boolean, True = may attend; broadcasts to "b h n n".
            condition: One vector per sequence, exactly if the block was built with a
                condition_width.

        Raises:
            ShapeError: A condition is missing, or not asked for, or anything has a wrong shape.
        """
        if (condition is None) != (self.modulation is None):
            wanted = "none" if self.modulation is None else "one"
            raise ShapeError(
                f"condition: the block was built to take {wanted}, but it got "
                f"{'none' if condition is None else tuple(condition.shape)}; "
                "set condition_width when building the block to open or close that door."
            )
        if self.modulation is None:
            x = x + self.attention(self.attention_norm(x), mask=mask)
            return x + self.mlp(self.mlp_norm(x))
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = self.modulation(condition)
        x = x + gate_a * self.attention((1 + scale_a) * self.attention_norm(x) + shift_a, mask=mask)
        return x + gate_m * self.mlp((1 + scale_m) * self.mlp_norm(x) + shift_m)
