"""torch's own modules with our weights, for tests and benchmarks to compare with."""

import torch
from torch import nn

from attnoise.attention import MultiHeadAttention
from attnoise.transformers import Block


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


def _layer_weights(ours: Block) -> dict[str, torch.Tensor]:
    """Name the weights of a block as torch names those of its layers."""
    parts = {"linear1": ours.mlp[0], "linear2": ours.mlp[2]}
    norms, weights = [ours.attention_norm], {}
    attentions = {"self_attn": ours.attention}
    if ours.cross_attention is not None:
        attentions["multihead_attn"] = ours.cross_attention
        norms.append(ours.cross_norm)
    for name, attention in attentions.items():
        inputs = (attention.to_query, attention.to_key, attention.to_value)
        weights[f"{name}.in_proj_weight"] = torch.cat([layer.weight for layer in inputs])
        weights[f"{name}.in_proj_bias"] = torch.cat([layer.bias for layer in inputs])
        parts[f"{name}.out_proj"] = attention.to_output
    parts |= {f"norm{i}": norm for i, norm in enumerate([*norms, ours.mlp_norm], start=1)}
    for name, layer in parts.items():
        weights |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    return weights


def _twin(kind: type[nn.Module], ours: Block) -> nn.Module:
    config = ours.config
    theirs = kind(
        config.d, config.heads, ours.mlp[0].out_features, dropout=0.0, activation="gelu",
        batch_first=True, norm_first=not config.post_norm,
    )  # fmt: skip
    theirs.load_state_dict(_layer_weights(ours))
    return theirs


def torch_encoder_twin(ours: Block) -> nn.TransformerEncoderLayer:
    """Return torch's own encoder layer with a block's weights."""
    return _twin(nn.TransformerEncoderLayer, ours)


def torch_decoder_twin(ours: Block) -> nn.TransformerDecoderLayer:
    """Return torch's own decoder layer with the weights of a block that has cross-attention."""
    return _twin(nn.TransformerDecoderLayer, ours)
