"""Part III of the book: adding noise, what to learn from it, and walking back."""

from .denoisers import Denoiser, GaussianDenoiser, IdealDenoiser, NetworkDenoiser
from .few_step import consistency_loss, consistency_sample
from .flow import (
    LinearPath,
    TrigPath,
    flow_loss,
    logit_normal_times,
    pair_by_transport,
    shift_times,
    straightness,
)
from .grids import spaced_timesteps, time_grid
from .guidance import GuidedDenoiser, drop_labels, without_label
from .inpainting import inpaint
from .likelihood import log_likelihood
from .networks import DenoisingTransformer, DenoisingTransformerConfig, PointDenoiser, time_features
from .ode import euler_sample, heun_sample, invert
from .paths import Path
from .preconditioning import PreconditionedDenoiser, edm_loss
from .process import add_noise, forward_step, noise_like, posterior
from .reshaping import shift_schedule, zero_terminal
from .samplers import Step, ddpm_sample, last
from .schedules import (
    Schedule,
    cosine_schedule,
    linear_schedule,
    make_schedule,
    sigmoid_schedule,
)
from .solvers import ddim_sample, dpm_solver_sample, edm_sample
from .targets import make_target, simple_loss, to_eps, to_x0
from .unet import UNet, UNetConfig

__all__ = [
    "Denoiser",
    "DenoisingTransformer",
    "DenoisingTransformerConfig",
    "GaussianDenoiser",
    "GuidedDenoiser",
    "IdealDenoiser",
    "LinearPath",
    "NetworkDenoiser",
    "Path",
    "PointDenoiser",
    "PreconditionedDenoiser",
    "Schedule",
    "Step",
    "TrigPath",
    "UNet",
    "UNetConfig",
    "add_noise",
    "consistency_loss",
    "consistency_sample",
    "cosine_schedule",
    "ddim_sample",
    "ddpm_sample",
    "dpm_solver_sample",
    "drop_labels",
    "edm_loss",
    "edm_sample",
    "euler_sample",
    "flow_loss",
    "forward_step",
    "heun_sample",
    "inpaint",
    "invert",
    "last",
    "linear_schedule",
    "log_likelihood",
    "logit_normal_times",
    "make_schedule",
    "make_target",
    "noise_like",
    "pair_by_transport",
    "posterior",
    "shift_schedule",
    "shift_times",
    "sigmoid_schedule",
    "simple_loss",
    "spaced_timesteps",
    "straightness",
    "time_features",
    "time_grid",
    "to_eps",
    "to_x0",
    "without_label",
    "zero_terminal",
]
