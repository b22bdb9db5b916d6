"""One small figure of each kind, shared by the tests of figures and made once."""

from functools import cache

import torch

from attnoise.data import draw_captions, ring_of_gaussians
from attnoise.data.captions import parse_caption
from attnoise.diffusion import cosine_schedule
from attnoise.figures import (
    attention_query,
    draw_digit,
    draw_flow,
    guidance_slider,
    latent_plane,
    playground,
    posterior_mean,
    reverse_trajectory,
    rotary_pair,
    solver_paths,
    studio,
)
from attnoise.figures.charts import Bars, Control, Curves, Heat, Pictures, chart
from attnoise.transformers import GPT, BytePairTokenizer, GPTConfig, modern_block

KEYS = torch.tensor([[1.5, 0.25], [0.2, 1.0], [-1.75, 1.0], [-1.0, -0.7], [0.85, -1.5]])
VALUES = torch.tensor([3.0, 1.0, -1.0, 0.5, 2.0])
SCHEDULE = cosine_schedule(41)
TIMES = list(range(1, 41, 3))
DATA = ring_of_gaussians(5, std=0.2).sample(37, torch.Generator().manual_seed(2))


@cache
def attention():
    return attention_query(KEYS, VALUES)


@cache
def posterior():
    return posterior_mean(DATA, DATA[3], SCHEDULE, TIMES)


@cache
def rotary():
    return rotary_pair(torch.tensor([1.1, 0.4, 0.9, -0.3]), torch.tensor([0.6, 0.9, 1.0, 0.35]))


@cache
def drawing():
    generator = torch.Generator().manual_seed(5)
    images = 2 * torch.rand(3, 1, 28, 28, generator=generator) - 1
    logits = 3 * torch.randn(3, 10, generator=generator)
    sources = torch.rand(3, 49, generator=generator).softmax(dim=1)
    return draw_digit(images, torch.tensor([7, 0, 3]), logits, sources)


@cache
def flowing():
    return draw_flow(torch.randn(11, 2, generator=torch.Generator().manual_seed(6)))


@cache
def guiding():
    centres = torch.tensor([[1.0, 0.5], [-1.2, 0.1], [0.2, -1.1], [1.1, -0.7], [-0.4, 1.3]])
    starts = torch.randn(7, 2, generator=torch.Generator().manual_seed(4))
    return guidance_slider(centres, torch.tensor([0, 1, 2, 2, 0]), 0.3, starts)


@cache
def solvers():
    generator = torch.Generator().manual_seed(4)
    return solver_paths(DATA[:3], 0.2, torch.randn(5, 2, generator=generator))


@cache
def moving():
    generator = torch.Generator().manual_seed(9)
    captions = [parse_caption("a large red circle"), parse_caption("a small white cross")]
    pictures = draw_captions(captions * 2, generator).unflatten(0, (2, 2))
    return latent_plane(torch.randn(4, 4, 8, 8, generator=generator), pictures)


@cache
def painting(seconds=None):
    texts = ["a large red circle", "a small white cross above a large blue ring"]
    generator = torch.Generator().manual_seed(2)
    last = draw_captions([parse_caption(text) for text in texts], generator)
    films = torch.stack([last * part for part in (0.2, 0.6, 1.0)], dim=1)
    return studio(texts, films, seed=3, guidance_scale=2.0, seconds=seconds)


@cache
def writing():
    torch.manual_seed(5)
    tokenizer = BytePairTokenizer.train("to be, or not to be, to be or not", vocab=262)
    config = GPTConfig(vocab=262, max_length=40, depth=3, block=modern_block(d=20, heads=2))
    model = GPT(config).eval()
    with torch.no_grad():
        model.tokens.weight.mul_(20)  # or all tokens are as likely
    return playground(model, tokenizer, "To be,\n or", seed=2, written=5, head=(1, 0))


def trajectory_arrays():
    generator = torch.Generator().manual_seed(3)
    final = torch.rand(1, 11, 1, 5, 7, generator=generator) * 2 - 1
    clean = torch.linspace(0, 1, 6)[:, None, None, None, None]
    noise = torch.randn(1, 11, 1, 5, 7, generator=generator)
    return clean * final + (1 - clean) * noise, final * clean.sqrt(), [17, 13, 9, 5, 2, 0]


@cache
def trajectory():
    return reverse_trajectory(*trajectory_arrays())


def panels(width, kind):
    """One panel of each kind; what they hold depends on both controls."""
    generator = torch.Generator().manual_seed(width)
    images = 2 * torch.rand(11, 1, 8, 8, generator=generator) - 1
    colours = 2 * torch.rand(1, 3, 16, 16, generator=generator) - 1
    cells = torch.randn(7, 7, generator=generator)
    bars = torch.rand(2, 5, generator=generator)
    line = torch.arange(13) ** 0.5 * width
    first, *others = ["knight", "o"][: 1 + (kind == "a")]
    return [
        Pictures("image", images[:1]),
        Heat("map", cells, low=-3, high=3, unit=" of 49"),
        Pictures("in colour", colours),
        Bars("abcde", {"one row": bars[0], "another": bars[1]}, label="part of all", title="parts"),
        Curves(range(13), {"root": line, "half": line / 2}, label="size", across="steps taken"),
        Pictures("eleven of them", images),
        Bars(
            [first, *others, "more"],
            bars[0, : 2 + len(others)],
            label="probability",
            level=True,
            tones=["data", *["prediction"] * (1 + len(others))],
            key={"data": "the truth", "prediction": "other tokens"},
        ),
    ]


@cache
def charting():
    controls = {
        "width": Control(label="Width", values=[1, 2, 3], start=2, unit=" px"),
        "kind": Control(label="Kind", values=["a", "b"]),
    }
    return chart(
        panels,
        lambda width, kind: f"Kind {kind} has width {width}.",
        controls,
        title="Panels <of> a width",
        alt='Panels, "the curve" as high as the width says.',
        play={"control": "width", "seconds": 0.3},
    )


ALL = {
    "attention_query": attention,
    "posterior_mean": posterior,
    "rotary_pair": rotary,
    "solver_paths": solvers,
    "guidance_slider": guiding,
    "draw_flow": flowing,
    "draw_digit": drawing,
    "studio": painting,
    "latent_plane": moving,
    "reverse_trajectory": trajectory,
    "playground": writing,
    "chart": charting,
}
