"""Part III of the book: diffusion models, from noise schedules to samplers.

To read it for the first time, take four modules: `schedules` (how much noise at which time),
`process` (adding it), `losses` (what a network is trained for) and `samplers` (from noise to data).
`denoisers` and `targets` stand between network and sampler; `exact_denoisers` need no network;
`solvers`, `ode` and `few_step` need fewer steps; `guidance` and `inpainting` steer; `unet` and
`networks` hold networks, and `together.DiT` is one, too.
"""

from .denoisers import Denoiser, NetworkDenoiser
from .exact_denoisers import GaussianDenoiser, IdealDenoiser
from .few_step import consistency_loss, consistency_sample
from .flow import (
    flow_loss,
    logit_normal_times,
    pair_by_transport,
    shift_times,
    straightness,
)
from .guidance import GuidedDenoiser, drop_labels, without_label
from .inpainting import inpaint
from .likelihood import log_likelihood
from .losses import simple_loss
from .more_schedules import make_schedule, shift_schedule, sigmoid_schedule, zero_terminal
from .networks import PointDenoiser, time_features
from .numerics import append_dims, check_samples, noise_like
from .ode import euler_sample, heun_sample, invert
from .paths import LinearPath, Path, TrigPath
from .preconditioning import PreconditionedDenoiser, edm_loss
from .process import add_noise, forward_step, posterior
from .samplers import Step, ddpm_sample, last
from .schedules import (
    Schedule,
    cosine_schedule,
    linear_schedule,
)
from .solvers import ddim_sample, dpm_solver_sample, edm_sample
from .targets import make_target, to_eps, to_x0
from .timesteps import make_timesteps
from .unet import UNet, UNetConfig

__all__ = [
    "Denoiser",
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
    "append_dims",
    "check_samples",
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
    "make_timesteps",
    "noise_like",
    "pair_by_transport",
    "posterior",
    "shift_schedule",
    "shift_times",
    "sigmoid_schedule",
    "simple_loss",
    "straightness",
    "time_features",
    "to_eps",
    "to_x0",
    "without_label",
    "zero_terminal",
]
