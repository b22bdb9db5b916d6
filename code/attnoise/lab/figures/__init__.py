"""The book's own moving figures. Each builder takes numbers and returns a `MovingFigure`."""

from .attention_query import attention_query
from .draw_digit import draw_digit, mnist_like
from .draw_flow import draw_flow
from .guidance_slider import guidance_slider
from .posterior_mean import posterior_mean
from .reverse_trajectory import hero, reverse_trajectory, write_hero
from .rotary_pair import rotary_pair
from .solver_paths import solver_paths

__all__ = [
    "attention_query",
    "draw_digit",
    "draw_flow",
    "guidance_slider",
    "hero",
    "mnist_like",
    "posterior_mean",
    "reverse_trajectory",
    "rotary_pair",
    "solver_paths",
    "write_hero",
]
