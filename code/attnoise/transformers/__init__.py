"""Part II of the book: the block that every transformer here is made of, and four machines."""

from .bert import BERT, BERTConfig, MaskedTokens, SequenceClassifier, mask_tokens, masked_loss
from .block import Block, BlockConfig
from .decoding import beam_search, greedy_decode
from .encoder_decoder import EncoderDecoder, EncoderDecoderConfig, teacher_forcing_loss
from .generation import complete, generate, reshape_distribution
from .gpt import GPT, GPT_PRESETS, GPTConfig, mean_loss, modern_block, next_token_loss
from .gpt2_weights import gpt_from_gpt2
from .initialisation import initialise
from .masked_autoencoder import MaskedAutoencoder
from .tokenizers import BytePairTokenizer, CharacterTokenizer, SymbolTokenizer
from .vit import ViT, ViTConfig, attention_rollout, patchify, roll_out, unpatchify

__all__ = [
    "BERT",
    "GPT",
    "GPT_PRESETS",
    "BERTConfig",
    "Block",
    "BlockConfig",
    "BytePairTokenizer",
    "CharacterTokenizer",
    "EncoderDecoder",
    "EncoderDecoderConfig",
    "GPTConfig",
    "MaskedTokens",
    "MaskedAutoencoder",
    "SequenceClassifier",
    "SymbolTokenizer",
    "ViT",
    "ViTConfig",
    "attention_rollout",
    "beam_search",
    "complete",
    "generate",
    "gpt_from_gpt2",
    "greedy_decode",
    "initialise",
    "mask_tokens",
    "masked_loss",
    "mean_loss",
    "modern_block",
    "next_token_loss",
    "patchify",
    "reshape_distribution",
    "roll_out",
    "teacher_forcing_loss",
    "unpatchify",
]
