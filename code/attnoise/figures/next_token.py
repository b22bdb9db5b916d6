"""What may follow a text: the distribution that sampling parameters leave, in words and as bars."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..transformers import BytePairTokenizer, reshape_distribution
from .controls import Control
from .plots import CARD, COLOURS, as_array

SHOWN = 12  # bars


def reshape(
    logits: Float[Tensor, " vocab"], *, temperature: float, top_k: float, top_p: float, min_p: float
) -> Float[Tensor, " vocab"]:
    """Return the distribution for the sliders' values, in float64 as the page computes."""
    return reshape_distribution(
        logits.double(),
        temperature=temperature,
        top_k=int(top_k),
        top_p=top_p if top_p < 1 else None,
        min_p=min_p if min_p > 0 else None,
    )


def likeliest(logits: Float[Tensor, " vocab"]) -> list[int]:
    """Return the tokens of the bars, the likeliest first."""
    return logits.double().argsort(descending=True, stable=True)[:SHOWN].tolist()


def token_name(tokenizer: BytePairTokenizer, token: int) -> str:
    """Return a token as a reader sees it: a dot for a space, an arrow for a new line.

    Bytes that are no whole character are written as numbers. The page's script writes the same.
    """
    content = tokenizer.bytes[token]
    text = content.decode("utf8", errors="replace")
    if "\ufffd" in text or any(ord(sign) < 32 and sign != "\n" for sign in text):
        return " ".join(f"{byte:02X}" for byte in content)
    return text.replace(" ", "·").replace("\n", "↵")


def describe(
    logits: Float[Tensor, " vocab"],
    names: Sequence[str],
    controls: Mapping[str, Control],
    sampling: Mapping[str, float],
) -> str:
    """Say how many tokens can follow, and which first; the page's script writes the same."""
    p = reshape(logits, **sampling)
    best = int(p.argmax())
    settings = ", ".join(
        f"{controls[name].label} {controls[name].text(value)}" for name, value in sampling.items()
    )
    return (
        f"{settings}: {int((p > 0).sum()):,} of {len(p):,} tokens can follow, first of all "
        f"“{names[best]}” with {100 * p[best]:.0f} %."
    )


def draw(
    shown: Sequence[str],
    prompted: int,
    row: Float[Tensor, " n"],
    logits: Float[Tensor, " vocab"],
    names: Sequence[str],
    sampling: Mapping[str, float],
) -> Figure:
    """Draw the recorded text with one head's weights, and the bars of what follows."""
    figure, (text, bars) = plt.subplots(
        2, 1, figsize=(6.4, 5.2), height_ratios=[1, 2], layout="constrained"
    )
    _draw_tokens(text, shown, prompted, row)
    top = likeliest(logits)
    before = as_array(logits.double().softmax(dim=0)[top])
    after = as_array(reshape(logits, **sampling)[top])
    places, cut = range(len(top)), after == 0
    bars.barh(places, after, color=COLOURS["prediction"], height=0.62)
    bars.barh(places, before, height=0.8, fill=False, edgecolor=COLOURS["ink"], lw=0.8)
    bars.barh(places, before * cut, height=0.8, fill=False, hatch="////", lw=0)
    labels = [f"{names[token]} (cut)" if gone else names[token]
              for token, gone in zip(top, cut.tolist(), strict=True)]  # fmt: skip
    bars.set_yticks(places, labels)
    bars.set(xlabel="probability; outlined: without sampling parameters", xlim=(0, None))
    bars.invert_yaxis()
    return figure


def _draw_tokens(ax: Axes, shown: Sequence[str], prompted: int, row: Tensor) -> None:
    """Write tokens in lines, with the weight of the last one's look behind each."""
    x, y = 0.0, 0.0
    for i, (name, weight) in enumerate(zip(shown, row.tolist(), strict=True)):
        width = 0.9 + 0.95 * len(name)
        if x + width > 60 or (i and shown[i - 1].endswith("↵")):
            x, y = 0.0, y - 1.0
        last = i == len(shown) - 1
        ax.text(
            x + width / 2, y, name, ha="center", va="center", family="monospace", fontsize=9,
            color=COLOURS["ink" if i < prompted else "prediction"],
            bbox={"facecolor": COLOURS["key"] if weight else CARD, "alpha": 0.6 * weight,
                  "edgecolor": "none", "pad": 2},
        )  # fmt: skip
        if last:
            ax.plot([x, x + width], [y - 0.36] * 2, color=COLOURS["query"], lw=2)
        x += width + 0.3
    ax.set(xlim=(0, 60), ylim=(y - 0.6, 0.6))
    ax.axis("off")
