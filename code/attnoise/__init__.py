"""attnoise: the code behind the course "Paying Attention to Noise".

One folder per part of the book, named alike: `attention`, `transformers`, `diffusion`. Three more
serve them all: `data`, `lab` (training, metrics, checkpoints, figures) and `exercises`.
Import what you need from those folders; importing `attnoise` alone loads nothing else.
"""

__version__ = "0.1.0"
