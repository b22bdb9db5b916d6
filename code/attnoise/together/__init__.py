"""Part V of the book: the transformer and the diffusion model in one."""

from .dit import PRESETS, DiT, DiTConfig

__all__ = ["PRESETS", "DiT", "DiTConfig"]
