"""attnoise: the code behind the course "Paying Attention to Noise".

One folder per part of the book, named alike: `attention`, `transformers`, `diffusion`, `latent`,
`together`. `data`, `training` and `evaluation` serve them all; `figures`, `diagrams` and
`exercises` stand on top, `checkpoints` holds trained weights with their cards.
Import what you need from those folders; importing `attnoise` alone loads nothing else.
"""

__version__ = "0.1.0"
