"""torch's own modules with our weights, for tests and benchmarks to compare with."""

import torch
from torch import nn

from attnoise.attention import MultiHeadAttention


def torch_twin(ours: MultiHeadAttention) -> nn.MultiheadAttention:
    """Return torch's own layer with our weights."""
    same_width = ours.context_width == ours.d
    widths = {} if same_width else {"kdim": ours.context_width, "vdim": ours.context_width}
    theirs = nn.MultiheadAttention(ours.d, ours.heads, batch_first=True, **widths)
    inputs = (ours.to_query, ours.to_key, ours.to_value)
    with torch.no_grad():
        if same_width:
            theirs.in_proj_weight.copy_(torch.cat([layer.weight for layer in inputs]))
        else:
            for name, layer in zip("qkv", inputs, strict=True):
                getattr(theirs, f"{name}_proj_weight").copy_(layer.weight)
        theirs.in_proj_bias.copy_(torch.cat([layer.bias for layer in inputs]))
        theirs.out_proj.weight.copy_(ours.to_output.weight)
        theirs.out_proj.bias.copy_(ours.to_output.bias)
    return theirs
