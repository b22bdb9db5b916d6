"""Read weights that are named and shaped as GPT-2's, from a file that the reader already has."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import CheckpointError
from .block import BlockConfig
from .gpt import GPT, GPTConfig


def gpt_from_gpt2(weights: Mapping[str, Tensor], heads: int) -> GPT:
    """Build a `GPT` from GPT-2's weights.

    Args:
        weights: As Hugging Face names them, with or without the prefix "transformer.". There,
            matrices of the blocks are stored as "in out", and query, key and value in one.
        heads: Number of heads, which the weights do not tell: 12 for the smallest model.

    Returns:
        The model in evaluation mode; its logits equal the original's.

    Raises:
        CheckpointError: A tensor is missing.

    Source: the names: huggingface/transformers, modeling_gpt2.py.
    """
    given = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}

    def take(name: str) -> Tensor:
        if name not in given:
            raise CheckpointError(
                f"the weights have no {name!r}; pass the state_dict of a GPT-2 model."
            )
        return given[name]

    depth = len({name.split(".")[1] for name in given if name.startswith("h.")})
    vocab, d = take("wte.weight").shape
    block = BlockConfig(d=d, heads=heads, causal=True, mlp="gelu_tanh")
    context = len(take("wpe.weight"))
    model = GPT(GPTConfig(vocab=vocab, max_length=context, depth=depth, block=block))
    ours = {"tokens.weight": take("wte.weight"), "head.weight": take("wte.weight")}
    ours["positions.weight"] = take("wpe.weight")
    pairs = {"norm": "ln_f"}
    for i in range(depth):
        pairs |= {
            f"blocks.{i}.attention_norm": f"h.{i}.ln_1",
            f"blocks.{i}.attention.to_output": f"h.{i}.attn.c_proj",
            f"blocks.{i}.mlp_norm": f"h.{i}.ln_2",
            f"blocks.{i}.mlp.0": f"h.{i}.mlp.c_fc",
            f"blocks.{i}.mlp.2": f"h.{i}.mlp.c_proj",
        }
        for kind in ("weight", "bias"):
            parts = take(f"h.{i}.attn.c_attn.{kind}").chunk(3, dim=-1)
            for name, part in zip(("query", "key", "value"), parts, strict=True):
                ours[f"blocks.{i}.attention.to_{name}.{kind}"] = part.T if part.ndim > 1 else part
    for mine, theirs in pairs.items():
        for kind in ("weight", "bias"):
            tensor = take(f"{theirs}.{kind}")
            ours[f"{mine}.{kind}"] = tensor.T if tensor.ndim > 1 else tensor
    with torch.no_grad():
        model.load_state_dict(ours)
    return model.eval()
