"""Make the landing page's figure with the shipped text-to-image model: book/_hero.html.

python tools/hero.py
"""

from pathlib import Path

import torch

from attnoise.data import encode_captions
from attnoise.diffusion import make_timesteps
from attnoise.figures import page_noise, studio
from attnoise.figures.explore import MovingFigure
from attnoise.together import condition_on_text
from attnoise.together.text_sampling import SAMPLERS
from attnoise.training.checkpoints import load_checkpoint

PATH = Path(__file__).resolve().parents[1] / "book" / "_hero.html"
CAPTIONS = (
    "a large yellow ring above a small blue square",
    "a small red circle left of a large green cross",
    "a large purple triangle right of a small white ring",
    "a large red square",
)
SEED, STEPS, GUIDANCE, SECONDS = 7, 8, 3.0, 4


def make_hero() -> MovingFigure:
    """Paint each caption in eight steps and record what the model predicts after each of them."""
    model, _ = load_checkpoint("text-to-image")
    autoencoder, _ = load_checkpoint("shapes-autoencoder")
    c = model.config
    noise = page_noise(SEED, c.latent_channels * c.latent_size**2)
    noise = noise.reshape(1, c.latent_channels, c.latent_size, c.latent_size)
    denoiser, label = condition_on_text(model, encode_captions(CAPTIONS), GUIDANCE)
    start = noise.expand(len(CAPTIONS), -1, -1, -1)
    times = make_timesteps(model.path, STEPS)
    steps = SAMPLERS["euler"](denoiser, start, model.path, timesteps=times, label=label)
    with torch.no_grad():
        films = torch.stack([autoencoder.decode(step.x0_hat) for step in steps], dim=1)
    return studio(
        CAPTIONS,
        films,
        seed=SEED,
        guidance_scale=GUIDANCE,
        seconds=SECONDS,
        title="This course's own model paints what you write",
    )


def write_hero(path: Path, figure: MovingFigure) -> None:
    """Write a figure's html to a file that a page includes with the raw directive."""
    path.write_text(figure.html() + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_hero(PATH, make_hero())
