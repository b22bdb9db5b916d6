"""Part III of the book: adding noise, what to learn from it, and walking back."""

from .denoisers import Denoiser, GaussianDenoiser, IdealDenoiser, NetworkDenoiser
from .networks import DenoisingTransformer, DenoisingTransformerConfig, PointDenoiser, time_features
from .process import add_noise, forward_step, noise_like, posterior
from .samplers import Step, ddpm_sample, last, spaced_timesteps
from .schedules import (
    Schedule,
    cosine_schedule,
    linear_schedule,
    make_schedule,
    sigmoid_schedule,
)
from .targets import make_target, simple_loss, to_eps, to_x0

__all__ = [
    "Denoiser",
    "DenoisingTransformer",
    "DenoisingTransformerConfig",
    "GaussianDenoiser",
    "IdealDenoiser",
    "NetworkDenoiser",
    "PointDenoiser",
    "Schedule",
    "Step",
    "add_noise",
    "cosine_schedule",
    "ddpm_sample",
    "forward_step",
    "last",
    "linear_schedule",
    "make_schedule",
    "make_target",
    "noise_like",
    "posterior",
    "sigmoid_schedule",
    "simple_loss",
    "spaced_timesteps",
    "time_features",
    "to_eps",
    "to_x0",
]
