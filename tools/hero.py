"""Make the landing page's moving figure with the shipped digit model: book/_hero.html.

python tools/hero.py
"""

from pathlib import Path

import torch

from attnoise.diffusion import NetworkDenoiser, ddpm_sample, make_schedule, make_timesteps
from attnoise.figures import hero
from attnoise.figures.explore import MovingFigure
from attnoise.training.checkpoints import load_checkpoint

PATH = Path(__file__).resolve().parents[1] / "book" / "_hero.html"
SEED, STEPS, SHOWN_EVERY = 0, 100, 4


def make_hero() -> MovingFigure:
    """Sample sixteen digits from noise and show every fourth step."""
    model, card = load_checkpoint("digits-ddpm")
    schedule = make_schedule(card["schedule"]["name"], card["schedule"]["T"])
    denoiser = NetworkDenoiser(model, schedule, card["target"], clip=1.0)
    generator = torch.Generator().manual_seed(SEED)
    label = torch.arange(16) % 10
    x = torch.randn(16, 1, 8, 8, generator=generator)
    frames, times = [x], [schedule.T]
    timesteps = make_timesteps(schedule, STEPS, "trailing")
    for count, step in enumerate(
        ddpm_sample(denoiser, x, schedule, generator, timesteps=timesteps, label=label), start=1
    ):
        if count % SHOWN_EVERY == 0:
            frames.append(step.x)
            times.append(step.t)
    return hero(torch.stack(frames), times)


def write_hero(path: Path, figure: MovingFigure) -> None:
    """Write a figure's html to a file that a page includes with the raw directive."""
    path.write_text(figure.html() + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_hero(PATH, make_hero())
