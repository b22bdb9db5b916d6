"""The book's claim: every model is made of the one `Block`, unchanged, and of no other."""

import torch
from torch import nn

from attnoise.diffusion import UNet, UNetConfig
from attnoise.together import DiT, DiTConfig
from attnoise.transformers import (
    BERT,
    GPT,
    BERTConfig,
    Block,
    BlockConfig,
    EncoderDecoder,
    EncoderDecoderConfig,
    GPTConfig,
    ViT,
    ViTConfig,
)

MODELS = {
    "encoder-decoder": EncoderDecoder(EncoderDecoderConfig(source_vocab=5, target_vocab=7)),
    "GPT": GPT(GPTConfig(vocab=5)),
    "BERT": BERT(BERTConfig(vocab=5)),
    "ViT": ViT(ViTConfig()),
    "denoiser": DiT(DiTConfig(channels=1, classes=10)),
    "U-Net": UNet(UNetConfig(depth=4)),
    "DiT": DiT(DiTConfig()),
}


def stacks(model: nn.Module) -> list[nn.ModuleList]:
    found = [m for n, m in model.named_modules() if isinstance(m, nn.ModuleList)]
    of_convolutions = [
        m for n in ("down", "shrink", "enlarge", "up") if (m := getattr(model, n, None))
    ]
    return [m for m in found if not any(m is other for other in of_convolutions)]


def test_every_stack_holds_blocks_of_exactly_this_class():
    for name, model in MODELS.items():
        blocks = [block for stack in stacks(model) for block in stack]
        assert len(blocks) >= 4, name
        assert {type(block) for block in blocks} == {Block}, name


def test_no_model_attends_outside_its_blocks():
    for name, model in MODELS.items():
        inside = {id(m) for b in model.modules() if isinstance(b, Block) for m in b.modules()}
        outside = [
            m for m in model.modules() if "Attention" in type(m).__name__ and id(m) not in inside
        ]
        assert not outside, name


def test_a_block_may_move_from_one_model_to_another():
    config = BlockConfig(d=12, heads=3)
    vit = ViT(ViTConfig(image_size=8, block=config))
    bert = BERT(BERTConfig(vocab=5, block=config))
    bert.blocks[0].load_state_dict(vit.blocks[0].state_dict())
    x = torch.randn(2, 7, 12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(bert.blocks[0](x), vit.blocks[0](x), atol=0, rtol=0)
