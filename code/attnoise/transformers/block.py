"""One transformer block: the same in GPT, BERT, ViT, the encoder-decoder and the denoisers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import Alibi, KeyValueCache, MultiHeadAttention, Rotary
from ..checks import check_positive, check_shape, check_sizes
from ..errors import ConfigError, ShapeError, choose
from .modulation import Modulation, modulate

Stream = Float[Tensor, "b n d"]
Sublayer = Callable[[Stream], Stream]
NORMS: dict[str, type[nn.Module]] = {"layer": nn.LayerNorm, "rms": nn.RMSNorm}


@dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """Shape of a `Block`. The defaults are those of GPT-2, without its causal mask.

    Args:
        d: Model width.
        heads: Number of attention heads; must divide d.
        kv_heads: Number of key/value heads, in cross-attention too; `heads` if not given.
        mlp: The network on each token: "gelu", "gelu_tanh" (its approximation, which GPT-2
            has) or "swiglu".
        hidden: Its inner width; 4 d if not given, for "swiglu" 8 d / 3, so that three matrices
            hold as many numbers as two.
        norm: "layer" or "rms".
        norm_eps: Added to the variance under the root.
        post_norm: Normalise after each sum, as in Vaswani et al., not before each sublayer.
        bias: Whether linear layers and layer norms add a bias.
        dropout: Rate of each sublayer's output while training; from torch's global generator.
        causal: Whether self-attention is forbidden later positions.
        window: How many positions self-attention sees at most; None for all. Needs causal.
        positions: "rotary", "alibi" or None, where the model adds positions to its tokens.
        rotary_base: Sets the slowest rotation.
        qk_norm: Whether self-attention's queries and keys are normalised per head.
        cross_qk_norm: The same in cross-attention.
        context_width: Width of what cross-attention looks up; None for no cross-attention.
        condition_width: Width of the condition; None for none.

    Raises:
        ConfigError: A number is out of range, or two settings contradict each other.
    """

    d: int
    heads: int
    kv_heads: int | None = None
    mlp: str = "gelu"
    hidden: int | None = None
    norm: str = "layer"
    norm_eps: float = 1e-5
    post_norm: bool = False
    bias: bool = True
    dropout: float = 0.0
    causal: bool = False
    window: int | None = None
    positions: str | None = None
    rotary_base: float = 10_000.0
    qk_norm: bool = False
    cross_qk_norm: bool = False
    context_width: int | None = None
    condition_width: int | None = None

    def __post_init__(self) -> None:
        choose("mlp", self.mlp, MLPS)
        choose("norm", self.norm, NORMS)
        if self.positions is not None:
            choose("positions", self.positions, {"rotary": Rotary, "alibi": Alibi})
        check_sizes(d=self.d, heads=self.heads, kv_heads=self.kv_heads, hidden=self.hidden)
        check_sizes(context_width=self.context_width, condition_width=self.condition_width)
        check_positive(norm_eps=self.norm_eps, rotary_base=self.rotary_base)
        if self.d % self.heads or self.heads % (self.kv_heads or self.heads):
            raise ConfigError(
                f"d must be a multiple of heads, and heads of kv_heads, but d = {self.d}, "
                f"heads = {self.heads} and kv_heads = {self.kv_heads}."
            )
        if self.positions == "rotary" and (self.d // self.heads) % 2:
            raise ConfigError(
                f"d / heads must be even for rotary positions, which turn pairs, but it is "
                f"{self.d // self.heads}."
            )
        if self.cross_qk_norm and self.context_width is None:
            raise ConfigError("cross_qk_norm needs cross-attention: set a context_width, too.")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must lie in [0, 1), but it is {self.dropout}.")
        if self.window is not None and (self.window < 1 or not self.causal):
            raise ConfigError(
                f"window = {self.window} must be at least 1 and needs causal = True; it counts "
                "the positions that each token looks back on, its own included."
            )
        if self.post_norm and self.condition_width is not None:
            raise ConfigError(
                "post_norm and condition_width exclude each other: a condition scales and shifts "
                "the normalised input of each sublayer, which only a pre-norm block has."
            )

    def make_positions(self) -> Rotary | Alibi | None:
        """Make what tells attention the positions."""
        if self.positions == "rotary":
            return Rotary(self.d // self.heads, base=self.rotary_base)
        return Alibi(self.heads) if self.positions == "alibi" else None

    def make_norm(self) -> nn.Module:
        """Make a normalisation layer; a condition brings its own gain, so that it has none."""
        affine = self.condition_width is None
        options = {"bias": self.bias} if self.norm == "layer" else {}
        norm = NORMS[self.norm]
        return norm(self.d, eps=self.norm_eps, elementwise_affine=affine, **options)


class SwiGLU(nn.Module):
    """A two-layer network whose hidden layer is gated: W_2 (SiLU(W_1 x) * W_3 x).

    Source: Shazeer 2020, equation 6, arXiv:2002.05202.
    """

    def __init__(self, d: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.gate = nn.Linear(d, hidden, bias=bias)
        self.up = nn.Linear(d, hidden, bias=bias)
        self.down = nn.Linear(hidden, d, bias=bias)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        return self.down(F.silu(self.gate(x)) * self.up(x))


def _two_layers(approximate: str, d: int, hidden: int, bias: bool) -> nn.Sequential:
    inner, outer = nn.Linear(d, hidden, bias=bias), nn.Linear(hidden, d, bias=bias)
    return nn.Sequential(inner, nn.GELU(approximate), outer)


MLPS: dict[str, Callable[[int, int, bool], nn.Module]] = {
    "gelu": partial(_two_layers, "none"),
    "gelu_tanh": partial(_two_layers, "tanh"),
    "swiglu": SwiGLU,
}


class Block(nn.Module):
    """Attention, then a small network on each token, each added to the residual stream.

    x = x + Attention(Norm(x)); x = x + CrossAttention(Norm(x), context); x = x + MLP(Norm(x))

    The middle line is there if the config has a context_width. With a condition, the first and
    the last line become x = x + gate * f((1 + scale) * Norm(x) + shift).

    Args:
        config: Its shape.

    Source: Vaswani et al. 2017, section 3, arXiv:1706.03762; norm before each sublayer: Xiong et
        al. 2020, arXiv:2002.04745; condition: Peebles & Xie 2022, arXiv:2212.09748.
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.config = config
        d, heads, bias, width = config.d, config.heads, config.bias, config.context_width
        self.attention_norm = config.make_norm()
        self.attention = MultiHeadAttention(
            d, heads, kv_heads=config.kv_heads, bias=bias, positions=config.make_positions(),
            qk_norm=config.qk_norm,
        )  # fmt: skip
        self.cross_norm = nn.Identity() if width is None else config.make_norm()
        self.cross_attention = None if width is None else MultiHeadAttention(
            d, heads, kv_heads=config.kv_heads, bias=bias, context_width=width,
            qk_norm=config.cross_qk_norm,
        )  # fmt: skip
        self.mlp_norm = config.make_norm()
        ratio = 8 / 3 if config.mlp == "swiglu" else 4
        self.mlp = MLPS[config.mlp](d, config.hidden or round(ratio * d), bias)
        self.dropout = nn.Dropout(config.dropout)
        condition = config.condition_width
        self.modulation = None if condition is None else Modulation(condition, d)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Bool[Tensor, "..."] | None = None,
        *,
        condition: Float[Tensor, "b c"] | None = None,
        context: Float[Tensor, "b m e"] | None = None,
        context_mask: Bool[Tensor, "..."] | None = None,
        cache: KeyValueCache | None = None,
        context_cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Run the block.

        Args:
            x: The residual stream.
            mask: Boolean, True = may attend; broadcasts to "b h n n".
            condition: One vector per sequence, exactly if the config has a condition_width.
            context: What cross-attention looks up, exactly if the config has a context_width.
            context_mask: Boolean, True = may attend; broadcasts to "b h n m".
            cache: The keys and values of the tokens before x, in generation.
            context_cache: Those of the context, computed at the first of many calls.

        Raises:
            ShapeError: An input is missing, not asked for, or of a wrong shape.
        """
        check_shape("x", x, batch=None, positions=None, width=self.config.d)
        self._check("condition", condition, self.modulation)
        self._check("context", context, self.cross_attention)
        if condition is not None:
            check_shape("condition", condition, batch=len(x), width=self.config.condition_width)
        causal, window = self.config.causal, self.config.window
        attend = partial(self.attention, mask=mask, causal=causal, window=window, cache=cache)
        look_up, cross = None, self.cross_attention
        if cross is not None:
            look_up = partial(cross, context=context, mask=context_mask, cache=context_cache)
        if self.config.post_norm:
            return self._forward_post_norm(x, attend, look_up)
        if self.modulation is not None:
            return self._forward_modulated(x, self.modulation(condition), attend, look_up)
        x = x + self.dropout(attend(self.attention_norm(x)))
        if look_up is not None:
            x = x + self.dropout(look_up(self.cross_norm(x)))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))

    def _forward_modulated(
        self, x: Stream, vectors: tuple[Tensor, ...], attend: Sublayer, look_up: Sublayer | None
    ) -> Stream:
        """Run the block with adaLN-Zero, as DiT writes it."""
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = vectors
        x = x + gate * self.dropout(attend(modulate(self.attention_norm(x), shift, scale)))
        if look_up is not None:
            x = x + self.dropout(look_up(self.cross_norm(x)))
        changed = modulate(self.mlp_norm(x), mlp_shift, mlp_scale)
        return x + mlp_gate * self.dropout(self.mlp(changed))

    def _forward_post_norm(self, x: Stream, attend: Sublayer, look_up: Sublayer | None) -> Stream:
        """Run the block as in 2017: normalise the sum."""
        x = self.attention_norm(x + self.dropout(attend(x)))
        if look_up is not None:
            x = self.cross_norm(x + self.dropout(look_up(x)))
        return self.mlp_norm(x + self.dropout(self.mlp(x)))

    @staticmethod
    def _check(name: str, given: Tensor | None, used_by: nn.Module | None) -> None:
        if (given is None) != (used_by is None):
            raise ShapeError(
                f"{name}: the block was built to take {'none' if used_by is None else 'one'}, but "
                f"it got {'none' if given is None else tuple(given.shape)}; "
                f"set {name}_width in the BlockConfig to give it that input."
            )
