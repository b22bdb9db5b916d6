"""The inventory of diffusion, latent and together."""

from math import inf, nan
from typing import Any

import torch

from .entries_core import _counts as counts
from .entries_core import make, vit
from .kinds import Entry, Place, run
from .names import find


def path(name: str = "cosine", steps: int = 20) -> Any:
    """Return a path to noise."""
    if name in ("linear", "trig"):
        return find(f"diffusion.{name.title()}Path")()
    schedule = find("diffusion.cosine_schedule")(steps)
    return find("diffusion.zero_terminal")(schedule) if name == "zero" else schedule


def stops(where: Any, steps: int = 4) -> list[float]:
    """Return the times at which a sampler stops."""
    return make("diffusion.make_timesteps", path=where, steps=steps)


def dit(at: Place, **options: Any) -> Any:
    """Return a small DiT."""
    own = {"image_size": 8, "channels": 1, "patch": 4, "d": 8, "depth": 1, "heads": 2,
           "classes": 3, "null_class": True}  # fmt: skip
    return at.model(find("together.DiT"), make("together.DiTConfig", **{**own, **options}))


def unet(at: Place, **options: Any) -> Any:
    """Return a small U-Net."""
    own = {"image_size": 8, "channels": 1, "patch": 1, "widths": (8, 16), "depth": 1, "heads": 2,
           "classes": 3, "null_class": True}  # fmt: skip
    return at.model(find("diffusion.UNet"), make("diffusion.UNetConfig", **{**own, **options}))


def points(at: Place) -> Any:
    """Return a small network for points in the plane."""
    return at.model(find("diffusion.PointDenoiser"), 2, d=8, depth=1)


def learning(at: Place, where: Any) -> Any:
    """Return a denoiser whose answer needs gradients: what keeps a graph, if anything does."""
    return find("diffusion.PreconditionedDenoiser")(points(at), where)


BAD_X0 = [
    {"x0": torch.full((2, 2), nan)},
    {"x0": torch.full((2, 2), inf)},
    {"x0": torch.zeros(2, 2, dtype=torch.uint8)},
]
BAD_IMAGES_X0 = [
    {"x0": torch.zeros(2, 8, 8, 1, dtype=torch.uint8)},
    {"x0": torch.full((2, 1, 8, 8), 255.0)},
]
BAD_TIMES = [{"t": torch.tensor([-1.0, 2.0])}, {"t": torch.tensor([1.0, 2000.0])},
             {"t": torch.tensor([nan, 1.0])}, {"t": torch.tensor([1.0, 2.0, 3.0])}]  # fmt: skip
BAD_STEPS = [
    {"timesteps": [0, 5, 10]}, {"timesteps": [5]}, {"timesteps": []}, {"timesteps": [2000, 0]},
    {"timesteps": [10, -1]}, {"timesteps": [10, nan, 0]},
]  # fmt: skip
BAD_SAMPLER = [
    *BAD_STEPS,
    {"x_T": torch.full((2, 2), nan)},
    {"x_T": torch.zeros(2, 2, dtype=torch.long)},
    {"label": torch.tensor([0, 1, 2])},
]
BAD_NETWORK = [
    {"x_t": torch.ones(2, 1, 7, 8)}, {"x_t": torch.ones(2, 3, 8, 8)},
    {"x_t": torch.zeros(2, 1, 8, 8, dtype=torch.uint8)}, {"time": torch.tensor([0.5, 500.0])},
    {"time": torch.tensor([0.5, -0.1])}, {"time": torch.tensor([0.5])},
    {"label": torch.tensor([2])}, {"label": torch.tensor([0, 4])},
    {"label": torch.tensor([0, -1])}, {"label": None}, {"label": torch.tensor([0.0, 1.0])},
]  # fmt: skip


def _network(build: Any) -> Entry:
    return Entry(
        family="model",
        call=lambda at: (build(at), {"x_t": at.normal(2, 1, 8, 8), "time": at.times(0.3, 0.7),
                                     "label": at.whole(0, 3)}),
        bad=BAD_NETWORK,
    )  # fmt: skip


def _sampler(name: str, where: str = "cosine", bad: Any = (), **options: Any) -> Entry:
    def call(at: Place) -> Any:
        noise = path(where)
        given = {
            "denoiser": learning(at, noise),
            "x_T": at.normal(2, 2),
            "path": noise,
            "generator": at.generator(),
            "timesteps": _whole(name, stops(noise)),
        }
        return find(f"diffusion.{name}"), {**given, **options}  # fmt: skip

    return Entry(family="sampler", call=call, bad=[*BAD_SAMPLER, *bad])


def _whole(name: str, times: list[float]) -> list[float]:
    return [int(t) for t in times] if name == "ddpm_sample" else times


def _schedule(function: str, bad: Any, **options: Any) -> Entry:
    return Entry(
        family="path",
        call=lambda at: (find(f"diffusion.{function}"), options),
        bad=[{"T": 0}, {"T": -1}, {"T": 2.5}, *bad],
    )


def _target(name: str, bad: Any = ()) -> Entry:
    def call(at: Place) -> Any:
        given = {
            "target": "v",
            "output": at.normal(2, 2),
            "x_t": at.normal(2, 2, seed=1),
            "alpha": at.fill(0.8, 2, 1),
            "sigma": at.fill(0.6, 2, 1),
        }
        return find(f"diffusion.{name}"), given  # fmt: skip

    return Entry(family="function", call=call, bad=[{"target": "w"}, *bad])


def _simple(at: Place, **options: Any) -> Any:
    given = {
        "model": points(at),
        "x0": at.normal(4, 2),
        "schedule": path(),
        "generator": at.generator(),
        **options,
    }
    return find("diffusion.simple_loss"), given  # fmt: skip


EVERY_LOSS = [  # eps on a path that ends in noise alone: only where its weight stays finite
    lambda at, t=t, w=w: {"target": t, "weighting": w, "schedule": path("zero")}
    for t in ("eps", "x0", "v", "u")
    for w in ("simple", "x0", "v", "u", "min_snr")
    if t != "eps" or w in ("simple", "min_snr")
]
BAD_GUIDANCE = [{"guidance_scale": nan}, {"guidance_scale": inf}, {"null_label": None},
                {"null_label": 2}, {"interval": (0.5, 0.2)}, {"interval": (nan, 1.0)},
                {"clip": -1.0}, {"clip": 0.0}, {"clip": nan}]  # fmt: skip

DIFFUSION = {
    "diffusion.Denoiser": Entry(family="protocol"),
    "diffusion.Path": Entry(family="protocol"),
    "diffusion.Step": Entry(family="record"),
    "diffusion.Schedule": Entry(
        family="path",
        call=lambda at: (find("diffusion.Schedule"),
                         {"alpha_bar": torch.tensor([1, 0.5, 0.1], dtype=torch.float64)}),
        bad=[{"alpha_bar": torch.tensor(x, dtype=torch.float64)}
             for x in ([0.9, 0.5], [1, 0.5, 0.6], [1, 0.5, -0.1], [1.0], [1, nan], [[1, 0.5]])]
        + [{"alpha_bar": torch.tensor([1, 0.5])}],
    ),
    "diffusion.Schedule.from_beta": Entry(
        family="path",
        call=lambda at: (find("diffusion.Schedule").from_beta,
                         {"beta": torch.tensor([0.1, 0.2], dtype=torch.float64)}),
        bad=[{"beta": torch.tensor(x, dtype=torch.float64)} for x in ([0.0], [1.0], [nan], [])],
    ),
    "diffusion.Schedule.levels": Entry(
        family="function",
        call=lambda at: (path().levels, {"t": at.fill(3.5, 2)}),
        bad=[{"t": torch.tensor([21.0])}, {"t": torch.tensor([-1.0])}, {"t": torch.tensor([nan])},
             {"t": torch.tensor([21])}],
    ),
    "diffusion.Schedule.time_of": Entry(
        family="function",
        call=lambda at: (path().time_of, {"ratio": at.fill(0.3, 2)}),
        bad=[{"ratio": torch.tensor([-1.0])}, {"ratio": torch.tensor([nan])}],
        extreme=[{"ratio": torch.tensor([inf, 0.0])}],
        rtol=2,
    ),
    "diffusion.Schedule.snr": Entry(
        family="function",
        call=lambda at: (path().snr, {"t": at.whole(1, 20)}),
        bad=[{"t": torch.tensor([21])}, {"t": torch.tensor([-1])}],
        but={"precision": "whole times"},
    ),
    "diffusion.linear_schedule": _schedule(
        "linear_schedule", [{"beta_start": -1.0}, {"beta_end": nan}, {"T": 5}], T=50),
    "diffusion.cosine_schedule": _schedule(
        "cosine_schedule", [{"offset": nan}, {"beta_max": 0.0}, {"beta_max": 1.5}, {"offset": -2.0}],
        T=20),
    "diffusion.sigmoid_schedule": _schedule(
        "sigmoid_schedule", [{"tau": 0.0}, {"tau": nan}, {"start": 4.0}, {"end": nan}], T=20),
    "diffusion.make_schedule": _schedule("make_schedule", [{"name": "square"}], name="cosine", T=20),
    "diffusion.zero_terminal": Entry(
        family="path", call=lambda at: (find("diffusion.zero_terminal"), {"schedule": path()}),
        but={"ranges": "every schedule is right"},
    ),
    "diffusion.shift_schedule": Entry(
        family="path",
        call=lambda at: (find("diffusion.shift_schedule"), {"schedule": path(), "shift": 2.0}),
        bad=[{"shift": v} for v in (0.0, -1.0, nan, inf)],
    ),
    "diffusion.make_timesteps": Entry(
        family="plain",
        call=lambda at: (find("diffusion.make_timesteps"), {"path": path(), "steps": 4}),
        bad=[{"steps": 0}, {"steps": -1}, {"steps": 2.5}, {"spacing": "random"},
             lambda at: {"spacing": "karras", "path": path("linear")}],
    ),
    "diffusion.shift_times": Entry(
        family="function",
        call=lambda at: (find("diffusion.shift_times"), {"t": at.fill(0.3, 2), "shift": 3.0}),
        bad=[{"shift": 0.0}, {"shift": nan}, {"t": torch.tensor([2.0])}, {"t": torch.tensor([nan])}],
    ),
    "diffusion.logit_normal_times": Entry(
        family="function",
        call=lambda at: (find("diffusion.logit_normal_times"), {"n": 3, "generator": at.generator()}),
        bad=[{"std": 0.0}, {"std": nan}, {"mean": nan}, {"n": -1}],
        but={"device": "drawn on the generator's device; the loss moves them",
             "precision": "its numbers are its own"},
    ),
    "diffusion.time_features": Entry(
        family="function",
        call=lambda at: (find("diffusion.time_features"), {"time": at.fill(0.3, 2), "width": 8}),
        bad=[{"width": 7}, {"width": 0}, {"width": -2}],
        rtol=2,
    ),
    "diffusion.noise_like": Entry(
        family="function",
        call=lambda at: (find("diffusion.noise_like"),
                         {"x": at.normal(4, 8), "generator": at.generator()}),
        bad=[{"x": torch.zeros(2, dtype=torch.long)}],
    ),
    "diffusion.append_dims": Entry(
        family="function",
        call=lambda at: (find("diffusion.append_dims"),
                         {"coefficient": at.times(0.3, 0.7), "x": at.normal(2, 3)}),
        bad=[{"coefficient": torch.ones(3)}, {"coefficient": torch.ones(2, 1)}],
    ),
    "diffusion.check_samples": Entry(
        family="function",
        call=lambda at: (lambda x: find("diffusion.check_samples")("x", x) or x,
                         {"x": at.normal(2, 2)}),
        bad=[{"x": torch.full((2, 2), nan)}, {"x": torch.zeros(2, 2, dtype=torch.uint8)}],
    ),
    "diffusion.forward_step": Entry(
        family="function",
        call=lambda at: (find("diffusion.forward_step"),
                         {"x": at.normal(2, 2), "t": at.whole(1, 20), "schedule": path(),
                          "generator": at.generator()}),
        bad=[{"t": torch.tensor([0, 1])}, {"t": torch.tensor([1, 21])}, {"t": torch.tensor([1])},
             {"t": torch.tensor([1.0, 2.0])}],
    ),
    "diffusion.add_noise": Entry(
        family="function",
        call=lambda at: (find("diffusion.add_noise"),
                         {"x0": at.normal(2, 2), "t": at.whole(3, 20), "eps": at.normal(2, 2, seed=1),
                          "path": path()}),
        bad=[*BAD_TIMES, {"eps": torch.ones(2, 3)}, {"x0": torch.zeros(2, 2, dtype=torch.uint8)}],
    ),
    "diffusion.posterior": Entry(
        family="function",
        call=lambda at: (find("diffusion.posterior"),
                         {"x0": at.normal(2, 2), "x_t": at.normal(2, 2, seed=1),
                          "t": at.whole(3, 20), "s": at.whole(0, 4), "path": path()}),
        bad=[{"t": torch.tensor([0, 1])}, {"t": torch.tensor([3, 21])}, {"s": torch.tensor([3, 4])},
             {"s": torch.tensor([-1, 4])}, {"x_t": torch.ones(2, 3)}],
        extreme=[lambda at: {"path": path("zero")}],
    ),
    "diffusion.make_target": Entry(
        family="function",
        call=lambda at: (find("diffusion.make_target"),
                         {"target": "v", "x0": at.normal(2, 2), "eps": at.normal(2, 2, seed=1),
                          "alpha": at.fill(0.8, 2, 1), "sigma": at.fill(0.6, 2, 1)}),
        bad=[{"target": "w"}, {"target": None}],
    ),
    "diffusion.to_x0": _target("to_x0"),
    "diffusion.to_eps": _target("to_eps"),
    "diffusion.simple_loss": Entry(
        family="loss", call=_simple,
        bad=[*BAD_X0, {"target": "w"}, {"weighting": "w"},
             {"x0": torch.ones(0, 2)}],
        extreme=EVERY_LOSS,
    ),
    "diffusion.simple_loss of images": Entry(
        family="loss",
        call=lambda at: _simple(at, model=dit(at), x0=at.images(2, 1, 8, 8), label=at.whole(0, 3),
                                target="v", weighting="min_snr"),
        bad=[*BAD_IMAGES_X0, {"label": torch.tensor([1])}, {"label": torch.tensor([0, 4])}],
    ),
    "diffusion.flow_loss": Entry(
        family="loss",
        call=lambda at: (find("diffusion.flow_loss"),
                         {"model": points(at), "x0": at.normal(4, 2), "generator": at.generator()}),
        bad=[*BAD_X0, {"target": "w"}, {"time_sampling": "w"}, {"shift": 0.0}, {"shift": nan},
             {"eps": torch.ones(4, 3)}],
        extreme=[{"target": t, "time_sampling": "uniform"} for t in ("u", "eps", "x0", "v")],
    ),
    "diffusion.flow_loss of images": Entry(
        family="loss",
        call=lambda at: (find("diffusion.flow_loss"),
                         {"model": dit(at), "x0": at.images(2, 1, 8, 8), "label": at.whole(0, 3),
                          "generator": at.generator()}),
        bad=BAD_IMAGES_X0,
    ),
    "diffusion.edm_loss": Entry(
        family="loss",
        call=lambda at: (find("diffusion.edm_loss"),
                         {"denoiser": learning(at, path()), "x0": at.normal(4, 2),
                          "generator": at.generator()}),
        bad=[*BAD_X0, {"mean": nan}, {"std": nan}, {"std": -1.0}],
        extreme=[lambda at: {"denoiser": learning(at, path("linear"))},
                 lambda at: {"denoiser": learning(at, path("zero"))}],
    ),
    "diffusion.consistency_loss": Entry(
        family="loss",
        call=lambda at: (find("diffusion.consistency_loss"),
                         {"student": learning(at, path()), "ema_student": learning(at, path()),
                          "teacher": learning(at, path()), "x0": at.normal(4, 2), "path": path(),
                          "timesteps": stops(path()), "generator": at.generator()}),
        bad=[*BAD_X0, *BAD_STEPS[:4], {"timesteps": [10, 5]}],
        rtol=6,  # a small difference of two answers
    ),
    "diffusion.IdealDenoiser": Entry(
        family="function",
        call=lambda at: (find("diffusion.IdealDenoiser")(at.normal(3, 2), path(),
                                                         at.whole(0, 1, 1), std=0.1),
                         {"x_t": at.normal(2, 2, seed=1), "t": at.whole(3, 20),
                          "label": at.whole(0, 1)}),
        bad=[*BAD_TIMES, {"label": torch.tensor([0, 2])}, {"x_t": torch.ones(2, 3)}],
        build=lambda: (find("diffusion.IdealDenoiser"),
                       {"data": torch.ones(3, 2), "path": path()}),
        bad_build=[{"std": -1.0}, {"std": nan}, {"labels": torch.tensor([1])},
                   {"data": torch.full((3, 2), nan)}, {"data": torch.ones(0, 2)}],
    ),
    "diffusion.IdealDenoiser.weights": Entry(
        family="function",
        call=lambda at: (find("diffusion.IdealDenoiser")(at.normal(3, 2), path()).weights,
                         {"x_t": at.normal(2, 2, seed=1), "t": at.whole(3, 20)}),
        bad=BAD_TIMES,
        rtol=4,
    ),
    "diffusion.GaussianDenoiser": Entry(
        family="function",
        call=lambda at: (find("diffusion.GaussianDenoiser")(at.normal(2), _covariance(at), path()),
                         {"x_t": at.normal(2, 2, seed=1), "t": at.whole(3, 20)}),
        bad=[*BAD_TIMES, {"x_t": torch.ones(2, 3)}],
        build=lambda: (find("diffusion.GaussianDenoiser"),
                       {"mean": torch.zeros(2), "covariance": torch.eye(2), "path": path()}),
        bad_build=[{"covariance": torch.eye(3)}, {"covariance": -torch.eye(2)},
                   {"covariance": torch.full((2, 2), nan)}, {"mean": torch.full((2,), nan)}],
        but={"reads": "it is built once, by an eigendecomposition"},
    ),
    "diffusion.NetworkDenoiser": Entry(
        family="function",
        call=lambda at: (find("diffusion.NetworkDenoiser")(dit(at), path(), "v", clip=1.0),
                         {"x_t": at.normal(2, 1, 8, 8), "t": at.whole(3, 20),
                          "label": at.whole(0, 3)}),
        bad=BAD_TIMES,
        build=lambda: (find("diffusion.NetworkDenoiser"),
                       {"model": points(Place()), "path": path(), "target": "eps"}),
        bad_build=[{"target": "w"}, {"clip": 0.0}, {"clip": -1.0}, {"clip": nan},
                   lambda at: {"path": path("zero"), "target": "eps"}],
    ),
    "diffusion.PreconditionedDenoiser": Entry(
        family="function",
        call=lambda at: (learning(at, path()), {"x_t": at.normal(2, 2), "t": at.whole(0, 20)}),
        bad=BAD_TIMES,
        build=lambda: (find("diffusion.PreconditionedDenoiser"),
                       {"model": points(Place()), "path": path()}),
        bad_build=[{"sigma_data": 0.0}, {"sigma_data": nan}],
    ),
    "diffusion.GuidedDenoiser": Entry(
        family="function",
        call=lambda at: (_guided(at), {"x_t": at.normal(2, 1, 8, 8), "t": at.whole(3, 20),
                                       "label": at.whole(0, 1)}),
        bad=[*BAD_TIMES, {"label": None}],
        build=lambda: (find("diffusion.GuidedDenoiser"),
                       {"denoiser": find("diffusion.NetworkDenoiser")(dit(Place()), path(), "v"),
                        "guidance_scale": 2.0, "null_label": 3}),
        bad_build=BAD_GUIDANCE,
    ),
    "diffusion.without_label": Entry(
        family="function",
        call=lambda at: (find("diffusion.without_label")(learning(at, path())),
                         {"x_t": at.normal(2, 2), "t": at.whole(3, 20), "label": at.whole(0, 1)}),
        but={"ranges": "it hands its arguments on"},
    ),
    "diffusion.drop_labels": Entry(
        family="whole numbers",
        call=lambda at: (find("diffusion.drop_labels"),
                         {"label": at.whole(0, 1, 2, 0), "null_label": 3, "cond_drop_prob": 0.5,
                          "generator": at.generator()}),
        bad=[{"cond_drop_prob": v} for v in (-0.1, 1.1, nan)]
        + [{"null_label": 2}, {"null_label": -1}, {"label": torch.ones(2)}],
    ),
    "diffusion.ddpm_sample": _sampler("ddpm_sample", bad=[{"variance": "medium"}]),
    "diffusion.ddim_sample": _sampler("ddim_sample", bad=[{"eta": -1.0}, {"eta": nan}, {"eta": 1.5}],
                                      eta=0.5),
    "diffusion.ddim_sample linear": _sampler("ddim_sample", "linear"),
    "diffusion.ddim_sample trig": _sampler("ddim_sample", "trig"),
    "diffusion.euler_sample": _sampler("euler_sample", bad=[{"parametrisation": "sun"}]),
    "diffusion.euler_sample linear": _sampler("euler_sample", "linear", parametrisation="flow",
                                              bad=[{"parametrisation": "ve"}]),
    "diffusion.heun_sample": _sampler("heun_sample", bad=[{"parametrisation": "sun"}]),
    "diffusion.edm_sample": _sampler(
        "edm_sample", bad=[{"churn": -1.0}, {"churn": nan}, {"noise": nan}, {"noise": -1.0},
                           {"between": (5.0, 1.0)}, {"between": (nan, 1.0)}]),
    "diffusion.dpm_solver_sample": _sampler("dpm_solver_sample"),
    "diffusion.consistency_sample": _sampler("consistency_sample"),
    "diffusion.invert": Entry(
        family="sampler",
        call=lambda at: (find("diffusion.invert"),
                         {"denoiser": learning(at, path()), "x0": at.normal(2, 2), "path": path(),
                          "timesteps": [1, 5, 10, 20]}),
        bad=[{"timesteps": [20, 10, 1]}, {"timesteps": [0, 10]}, {"timesteps": [1, 21]},
             {"timesteps": []}, {"parametrisation": "sun"}, {"x0": torch.full((2, 2), nan)}],
    ),
    "diffusion.inpaint": Entry(
        family="sampler",
        call=lambda at: (find("diffusion.inpaint"),
                         {"denoiser": learning(at, path()), "known": at.normal(2, 2),
                          "mask": at.whole([True, False], [False, True]), "path": path(),
                          "generator": at.generator(), "timesteps": stops(path()), "resample": 2}),
        bad=[*BAD_STEPS, {"mask": torch.ones(2, 2)}, {"mask": torch.ones(3, dtype=torch.bool)},
             {"known": torch.full((2, 2), nan)}, {"resample": 0}],
    ),
    "diffusion.last": Entry(
        family="sampler",
        call=lambda at: (lambda steps: find("diffusion.last")(run(steps)),
                         {"steps": DIFFUSION["diffusion.ddim_sample"].call(at)}),
        bad=[{"steps": (list, {})}],
    ),
    "diffusion.straightness": Entry(
        family="plain",
        call=lambda at: (lambda steps: find("diffusion.straightness")(run(steps)),
                         {"steps": DIFFUSION["diffusion.ddim_sample"].call(at)}),
        bad=[{"steps": (list, {})}],
        also=["device"],
    ),
    "diffusion.log_likelihood": Entry(
        family="function",
        call=lambda at: (find("diffusion.log_likelihood"),
                         {"denoiser": learning(at, path()), "x": at.normal(2, 2), "path": path(),
                          "timesteps": [20, 10, 5, 1]}),
        bad=[{"timesteps": [1, 20]}, {"timesteps": [20, 0]}, {"timesteps": []},
             {"x": torch.full((2, 2), nan)}],
        but={"precision": "a likelihood needs float32"},
    ),
    "diffusion.pair_by_transport": Entry(
        family="function",
        call=lambda at: (find("diffusion.pair_by_transport"),
                         {"x0": at.normal(3, 2), "eps": at.normal(3, 2, seed=1)}),
        bad=[{"eps": torch.ones(2, 2)}, {"eps": torch.ones(3, 3)}, {"x0": torch.full((3, 2), nan)}],
        but={"reads": "scipy solves the assignment on the host"},
    ),
    "diffusion.PointDenoiser": Entry(
        family="model",
        call=lambda at: (points(at), {"x_t": at.normal(2, 2), "time": at.times(0.3, 0.7)}),
        bad=[{"x_t": torch.ones(2, 3)}, {"time": torch.tensor([0.5])},
             {"time": torch.tensor([0.5, 500.0])}],
        build=lambda: (find("diffusion.PointDenoiser"), {"axes": 2}),
        bad_build=[*counts("axes", "d", "depth"), {"d": 7}],
    ),
    "diffusion.UNetConfig": Entry(
        family="config",
        call=lambda at: (find("diffusion.UNetConfig"), {"image_size": 8, "widths": (8, 16)}),
        bad=[*counts("image_size", "channels", "patch", "depth", "heads"), {"classes": -1},
             {"widths": ()}, {"widths": (0, 16)}, {"widths": (-8, 16)}, {"patch": 3},
             {"classes": 0, "null_class": True}],
    ),
    "diffusion.UNet": _network(unet),
}  # fmt: skip


for _name in ("linear", "trig"):
    DIFFUSION |= {
        f"diffusion.{_name.title()}Path": Entry(
            family="path", call=lambda at, n=_name: (find(f"diffusion.{n.title()}Path"), {}),
            but={"ranges": "it takes no argument"},
        ),
        f"diffusion.{_name.title()}Path.levels": Entry(
            family="function",
            call=lambda at, n=_name: (path(n).levels, {"t": at.fill(0.3, 2)}),
            bad=[{"t": torch.tensor([v])} for v in (1.6, -0.1, nan)],
        ),
        f"diffusion.{_name.title()}Path.time_of": Entry(
            family="function",
            call=lambda at, n=_name: (path(n).time_of, {"ratio": at.fill(0.3, 2)}),
            bad=[{"ratio": torch.tensor([-1.0])}, {"ratio": torch.tensor([nan])}],
            extreme=[{"ratio": torch.tensor([inf, 0.0])}],
        ),
    }  # fmt: skip


def _covariance(at: Place) -> torch.Tensor:
    return at._put(torch.tensor([[1.0, 0.3], [0.3, 0.5]]))


def _guided(at: Place) -> Any:
    inner = find("diffusion.NetworkDenoiser")(dit(at), path(), "v")
    return make("diffusion.GuidedDenoiser", denoiser=inner, guidance_scale=2.0, null_label=3,
                interval=(0.1, 0.9), clip=1.0)  # fmt: skip


def autoencoder(at: Place, bottleneck: str = "vae", measured: bool = True) -> Any:
    """Return a small autoencoder."""
    config = make("latent.AutoencoderConfig", image_size=8, channels=1, patch=1, widths=(8, 8),
                  latent_channels=2, bottleneck=bottleneck,
                  levels=(5, 4) if bottleneck == "fsq" else ())  # fmt: skip
    model = at.model(find("latent.Autoencoder"), config)
    if measured:
        find("latent.fit_latent_scale")(model, at.images(8, 1, 8, 8))
    return model


WRONG = [{"images": x} for x in (
    torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.zeros(2, 8, 8, 1),
    torch.full((2, 1, 8, 8), 255.0), torch.full((2, 1, 8, 8), nan), torch.zeros(2, 1, 7, 8),
    torch.zeros(2, 3, 8, 8))]  # fmt: skip


def _latent_side() -> dict[str, int]:
    config = autoencoder(Place(), measured=False).config
    return {"channels": config.latent_channels, "image_size": config.latent_size, "patch": 1}


def latent_diffusion(at: Place) -> Any:
    """Return a small latent diffusion model."""
    return find("latent.LatentDiffusion")(dit(at, **_latent_side()), autoencoder(at))


def _objective(name: str, **options: Any) -> Any:
    return lambda at: (find(f"latent.{name}"), {"model": autoencoder(at),
                       "images": at.images(2, 1, 8, 8), "generator": at.generator(), **options})  # fmt: skip


LATENT = {
    "latent.AutoencoderConfig": Entry(
        family="config",
        call=lambda at: (find("latent.AutoencoderConfig"),
                         {"image_size": 8, "widths": (8, 8), "bottleneck": "fsq",
                          "latent_channels": 2, "levels": (5, 4)}),
        bad=[*counts("image_size", "channels", "patch", "depth", "latent_channels"), {"widths": ()},
             {"widths": (7, 8)}, {"widths": (0, 8)}, {"bottleneck": "vq"}, {"levels": (1, 4)},
             {"levels": (5,)}, {"patch": 3}, {"bottleneck": "vae"}],
    ),
    **{f"latent.Autoencoder {kind}": Entry(
        family="model",
        call=lambda at, kind=kind: (autoencoder(at, kind, measured=False),
                                    {"images": at.images(2, 1, 8, 8), "generator": at.generator()}),
        bad=WRONG,
        rtol=8 if kind == "fsq" else 1,  # what lies between two levels is rounded otherwise
    ) for kind in ("plain", "vae", "fsq")},
    "latent.Autoencoder": Entry(
        family="model",
        call=lambda at: (autoencoder(at), {"images": at.images(2, 1, 8, 8)}),
        bad=WRONG,
    ),
    "latent.Autoencoder.encode": Entry(
        family="function",
        call=lambda at: (autoencoder(at).encode, {"images": at.images(2, 1, 8, 8)}),
        bad=WRONG,
    ),
    "latent.Autoencoder.decode": Entry(
        family="function",
        call=lambda at: (autoencoder(at).decode, {"latents": at.normal(2, 2, 4, 4)}),
        bad=[{"latents": torch.ones(2, 3, 4, 4)}, {"latents": torch.ones(2, 2, 5, 4)}],
    ),
    "latent.reparameterise": Entry(
        family="function",
        call=lambda at: (find("latent.reparameterise"),
                         {"mean": at.normal(2, 3), "log_variance": at.normal(2, 3, seed=1),
                          "generator": at.generator()}),
        bad=[{"log_variance": torch.ones(2, 4)}],
    ),
    "latent.Elbo": Entry(family="record"),
    "latent.kl_to_standard_normal": Entry(
        family="function",
        call=lambda at: (find("latent.kl_to_standard_normal"),
                         {"mean": at.normal(2, 3), "log_variance": at.normal(2, 3, seed=1)}),
        bad=[{"log_variance": torch.ones(2, 4)}],
    ),
    "latent.elbo": Entry(
        family="loss", call=_objective("elbo"),
        bad=[*WRONG, {"std": 0.0}, {"std": nan},
             lambda at: {"model": autoencoder(at, "plain", measured=False)}],
    ),
    "latent.autoencoder_loss": Entry(
        family="loss", call=_objective("autoencoder_loss", kl_weight=0.1),
        bad=[*WRONG, {"kl_weight": -1.0}, {"kl_weight": nan}],
    ),
    "latent.fit_latent_scale": Entry(
        family="function",
        call=lambda at: (lambda images: _measured(at, images), {"images": at.images(8, 1, 8, 8)}),
        bad=[*WRONG, {"images": torch.ones(0, 1, 8, 8)}],
        but={"reads": "it is called once, and refuses a collapsed channel",
             "precision": "a moment of the data", "finite": "it sets buffers"},
    ),
    "latent.FiniteScalarQuantiser": Entry(
        family="model",
        call=lambda at: (at.model(find("latent.FiniteScalarQuantiser"), (5, 4)),
                         {"z": at.normal(2, 2, 3, 3)}),
        bad=[{"z": torch.ones(2, 3, 3, 3)}, {"z": torch.ones(2, 2)}],
        build=lambda: (find("latent.FiniteScalarQuantiser"), {"levels": (5, 4)}),
        bad_build=[{"levels": ()}, {"levels": (1, 4)}, {"levels": (5, 2000)}, {"levels": (5.5, 4)}],
        rtol=4,
    ),
    "latent.FiniteScalarQuantiser.from_codes": Entry(
        family="whole numbers",
        call=lambda at: (at.model(find("latent.FiniteScalarQuantiser"), (5, 4)).from_codes,
                         {"codes": at.whole([[[0, 19]], [[3, 7]]])}),
        bad=[{"codes": torch.tensor([[[20]]])}, {"codes": torch.tensor([[[-1]]])},
             {"codes": torch.ones(1, 1, 1)}],
    ),
    "latent.FiniteScalarQuantiser.to_codes": Entry(
        family="whole numbers",
        call=lambda at: (at.model(find("latent.FiniteScalarQuantiser"), (5, 4)).to_codes,
                         {"quantised": at.whole([[[[-0.5, 1.0]], [[0.0, -1.0]]]])}),
        bad=[{"quantised": torch.ones(2, 3, 3, 3)}],
    ),
    "latent.LatentDiffusion": Entry(
        family="model",
        call=lambda at: (_velocity(latent_diffusion(at)),
                         {"x_t": at.normal(2, 2, 4, 4), "time": at.times(0.3, 0.7),
                          "label": at.whole(0, 3)}),
        build=lambda: (find("latent.LatentDiffusion"),
                       {"network": dit(Place(), **_latent_side()),
                        "autoencoder": autoencoder(Place())}),
        bad_build=[lambda at: {"network": dit(at)},
                   lambda at: {"autoencoder": autoencoder(at, measured=False)}],
    ),
    "latent.LatentDiffusion.loss": Entry(
        family="loss",
        call=lambda at: (latent_diffusion(at).loss,
                         {"images": at.images(2, 1, 8, 8), "generator": at.generator(),
                          "label": at.whole(0, 3)}),
        bad=[*WRONG, {"time_sampling": "w"}, {"shift": nan}, {"label": None},
             {"label": torch.tensor([0, 4])}],
    ),
    "latent.LatentDiffusion.sample": Entry(
        family="sampler",
        call=lambda at: (latent_diffusion(at).sample,
                         {"n": 2, "generator": at.generator(), "steps": 3, "label": at.whole(0, 1),
                          "guidance_scale": 2.0}),
        bad=[{"n": 0}, {"n": -1}, {"steps": 0}, {"label": torch.tensor([0])}, {"label": None},
             {"label": torch.tensor([0, 4])}, {"guidance_scale": nan}, {"timesteps": [0, 1]}],
    ),
}  # fmt: skip


def _measured(at: Place, images: torch.Tensor) -> Any:
    model = autoencoder(at, measured=False)
    find("latent.fit_latent_scale")(model, images)
    return model.latent_mean, model.latent_std


class _velocity(torch.nn.Module):
    """The network inside a latent diffusion model, called from outside."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, x_t, time, label):
        return self.model.network(x_t, time, label)


def text_to_image(at: Place) -> Any:
    """Return a small text-to-image model for the small autoencoder."""
    side = _latent_side()
    config = make("together.TextToImageConfig", vocab=20, max_length=10, d=8, depth=1, heads=2,
                  latent_size=side["image_size"], latent_channels=side["channels"], patch=1,
                  text_width=8, text_depth=1, text_heads=2)  # fmt: skip
    return at.model(find("together.TextToImage"), config)


def text_encoder(at: Place) -> Any:
    """Return a small text encoder."""
    return at.model(find("together.TextEncoder"), vocab=20, max_length=10, d=8, depth=1, heads=2)


CAPTIONS = ([1, 2, 3, 4, 0, 0, 0, 0, 0, 0], [0] * 10)
BAD_CAPTIONS = [{"tokens": x} for x in (
    torch.ones(2, 11, dtype=torch.long), torch.full((2, 10), 20), torch.full((2, 10), -1),
    torch.ones(2, 10), torch.ones(10, dtype=torch.long))]  # fmt: skip
BAD_LATENTS = [{"time": torch.tensor([0.5, 500.0])}, {"time": torch.tensor([0.5])}]


def _dit(**options: Any) -> Entry:
    text = options.get("context_width")

    def call(at: Place) -> Any:
        given = {"x_t": at.normal(2, 1, 8, 8), "time": at.times(0.3, 0.7), "label": at.whole(0, 3)}
        if text:
            given |= {
                "context": at.normal(2, 3, text),
                "context_mask": at.whole([True] * 3, [True, False, False])[:, None, None],
            }
        return dit(at, **options), given  # fmt: skip

    more = [{"context": None}, {"context": torch.ones(2, 3, 5)}] if text else []
    return Entry(family="model", call=call, bad=[*BAD_NETWORK, *more])


def _sample(at: Place, sampler: str = "euler") -> Any:
    return find("together.sample"), {
        "model": text_to_image(at), "autoencoder": autoencoder(at), "tokens": at.whole(*CAPTIONS),
        "generator": at.generator(), "steps": 3, "guidance_scale": 2.0, "sampler": sampler,
    }  # fmt: skip


TOGETHER = {
    "together.DIT_PRESETS": Entry(family="constant"),
    "together.SAMPLERS": Entry(family="constant"),
    "together.condition_on_text": Entry(
        family="function",
        call=lambda at: (lambda tokens, guidance_scale: _told(at, tokens, guidance_scale),
                         {"tokens": at.whole(*CAPTIONS), "guidance_scale": 2.0}),
        bad=[*BAD_CAPTIONS, {"guidance_scale": nan}],
    ),
    "together.DiTConfig": Entry(
        family="config",
        call=lambda at: (find("together.DiTConfig"), {"image_size": 8, "d": 8, "heads": 2}),
        bad=[*counts("image_size", "channels", "patch", "d", "depth", "heads", "context_width"),
             {"classes": -1}, {"null_class": True}, {"patch": 3}, {"conditioning": "film"},
             {"norm_eps": nan}, {"mlp": "relu"}, {"d": 6},
             {"conditioning": "cross_attention", "context_width": 4}],
    ),
    "together.DiT": _dit(),
    "together.DiT in_context": _dit(conditioning="in_context"),
    "together.DiT cross_attention": _dit(conditioning="cross_attention"),
    "together.DiT context": _dit(context_width=6),
    "together.TextEncoder": Entry(
        family="model",
        call=lambda at: (text_encoder(at), {"tokens": at.whole(*CAPTIONS)}),
        bad=BAD_CAPTIONS,
        build=lambda: (find("together.TextEncoder"), {"vocab": 20, "max_length": 10}),
        bad_build=[*counts("vocab", "max_length", "d", "depth", "heads"), {"d": 9}],
    ),
    "together.ContrastivePair": Entry(
        family="model",
        call=lambda at: (_pair(at), {"images": at.images(2, 1, 8, 8),
                                     "tokens": at.whole(*CAPTIONS)}),
        bad=[*BAD_CAPTIONS, {"images": torch.ones(2, 3, 8, 8)}],
        build=lambda: (find("together.ContrastivePair"),
                       {"text": text_encoder(Place()), "images": vit(Place()), "d": 3}),
        bad_build=counts("d"),
    ),
    "together.ContrastivePair.loss": Entry(
        family="loss",
        call=lambda at: (_pair(at).loss, {"images": at.images(2, 1, 8, 8),
                                          "tokens": at.whole(*CAPTIONS)}),
        bad=[*BAD_CAPTIONS, {"tokens": torch.ones(3, 10, dtype=torch.long)}],
    ),
    "together.TextToImageConfig": Entry(
        family="config",
        call=lambda at: (find("together.TextToImageConfig"), {"vocab": 20, "d": 8, "heads": 2}),
        bad=[*counts("vocab", "max_length", "latent_size", "latent_channels", "patch", "d", "depth",
                     "heads", "text_width", "text_depth", "text_heads"), {"heads": 3},
             {"text_heads": 5}],
    ),
    "together.TextToImage": Entry(
        family="model",
        call=lambda at: (text_to_image(at),
                         {"x_t": at.normal(2, 2, 4, 4), "time": at.times(0.3, 0.7),
                          "tokens": at.whole(*CAPTIONS)}),
        bad=[*BAD_CAPTIONS, *BAD_LATENTS, {"x_t": torch.ones(2, 3, 4, 4)}],
    ),
    "together.TextToImage.loss": Entry(
        family="loss",
        call=lambda at: (text_to_image(at).loss,
                         {"latents": at.normal(2, 2, 4, 4), "tokens": at.whole(*CAPTIONS),
                          "generator": at.generator(), "cond_drop_prob": 0.5}),
        bad=[*BAD_CAPTIONS, {"cond_drop_prob": nan}, {"cond_drop_prob": -0.1},
             {"cond_drop_prob": 1.1}, {"latents": torch.full((2, 2, 4, 4), nan)},
             {"latents": torch.ones(2, 3, 4, 4)}],
    ),
    "together.sample": Entry(
        family="sampler", call=_sample,
        bad=[*BAD_CAPTIONS, {"tokens": torch.ones(0, 10, dtype=torch.long)}, {"steps": 0},
             {"guidance_scale": nan}, {"sampler": "ddpm"}, {"shift": 0.0}, {"shift": nan}],
    ),
    "together.sample heun": Entry(
        family="sampler", call=lambda at: _sample(at, "heun"), bad=[{"steps": 1}]),
    "together.sample dpm_solver": Entry(
        family="sampler", call=lambda at: _sample(at, "dpm_solver"), bad=[{"steps": 1}]),
    "together.cross_attention_maps": Entry(
        family="function",
        call=lambda at: (find("together.cross_attention_maps"),
                         {"model": text_to_image(at), "latents": at.normal(2, 2, 4, 4),
                          "time": at.times(0.3, 0.7), "tokens": at.whole(*CAPTIONS)}),
        bad=[*BAD_CAPTIONS, *BAD_LATENTS, {"latents": torch.ones(2, 3, 4, 4)}],
    ),
}  # fmt: skip


def _told(at: Place, tokens: torch.Tensor, guidance_scale: float) -> Any:
    denoiser, label = make("together.condition_on_text", model=text_to_image(at), tokens=tokens,
                           guidance_scale=guidance_scale)  # fmt: skip
    return denoiser(at.normal(2, 2, 4, 4), at.times(0.3, 0.7), label)


def _pair(at: Place) -> Any:
    return at.model(find("together.ContrastivePair"), text_encoder(Place()), vit(Place()), 3)


DENOISING = {**DIFFUSION, **LATENT, **TOGETHER}
