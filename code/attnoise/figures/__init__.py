"""The book's own moving figures. Each builder takes numbers and returns a `MovingFigure`."""

from .attention_query import attention_query
from .draw_digit import draw_digit, mnist_like
from .draw_flow import draw_flow
from .guidance_slider import guidance_slider
from .latent_plane import between, latent_plane
from .playground import playground
from .posterior_mean import posterior_mean
from .reverse_trajectory import reverse_trajectory
from .rotary_pair import rotary_pair
from .solver_paths import solver_paths
from .studio import page_noise, studio

__all__ = [
    "attention_query",
    "between",
    "draw_digit",
    "draw_flow",
    "guidance_slider",
    "latent_plane",
    "mnist_like",
    "page_noise",
    "playground",
    "posterior_mean",
    "reverse_trajectory",
    "rotary_pair",
    "solver_paths",
    "studio",
]
