"""How the weights of a transformer start, and why.

Weights are the one thing here that is drawn without a generator of its own: torch's layers draw
theirs from the global one when they are made, and so does `initialise`. For the same weights
again, set torch's global seed before the model is built.
"""

from torch import nn

from ..attention import MultiHeadAttention
from ..checks import check_positive
from .block import Block


def initialise(model: nn.Module, *, std: float = 0.02) -> None:
    """Draw all linear layers and embeddings from N(0, std^2), and shrink what feeds the stream.

    A stream that adds N independent answers of equal size grows by sqrt(N). So the last layer of
    every sublayer is drawn smaller, from N(0, std^2 / N), N the number of sublayers:
    the stream then leaves the stack about as large as it came, whatever the depth. Biases start
    at zero, norms at one.

    Args:
        model: Changed in place; its `Block`s are found wherever they are. The adaLN-Zero layers
            of a condition keep their zeros.
        std: 0.02 is GPT-2's, meant for widths near 768; one over the root of the width keeps
            the size of the signal at any width.

    Raises:
        ConfigError: std is not above 0.

    Source: Radford et al. 2019 (GPT-2), section 2.3; karpathy/nanoGPT, model.py.
    """
    check_positive(std=std)
    spared = {
        id(block.modulation.to_vectors)
        for block in model.modules()
        if isinstance(block, Block) and block.modulation is not None
    }
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding) and id(module) not in spared:
            nn.init.normal_(module.weight, std=std)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    last = [layer for block in model.modules() if isinstance(block, Block) for layer in ends(block)]
    for layer in last:
        nn.init.normal_(layer.weight, std=std / len(last) ** 0.5)


def ends(block: Block) -> list[nn.Linear]:
    """Return the layers of a block that write to the residual stream, one for each sublayer."""
    attentions = [m for m in block.children() if isinstance(m, MultiHeadAttention)]
    *_, last = (m for m in block.mlp.children() if isinstance(m, nn.Linear))
    return [*(m.to_output for m in attentions), last]
