"""Our solvers beside diffusers' schedulers, driving one and the same network, in one run.

  1. Overhead: the share of a step of each of our solvers that is not the network, for a batch of
     100 digits with the shipped 8 x 8 model.
  2. Digits per second at equal distance: DPM-Solver++(2M) in our code and in diffusers', each with
     the fewest steps whose Fréchet distance (mean of three seeds) is within 5 % of the best that it
     reaches with any number of steps; diffusers with each of its two usual spacings and with Karras
     levels, the best of them.

One thread, timed by the clock of the process, taking turns.

Run: python -m benchmarks.samplers [--rounds 15]
"""

import argparse
import statistics
import time

import diffusers
import torch
from diffusers import DPMSolverMultistepScheduler

from attnoise.data import load_digits
from attnoise.diffusion import (
    NetworkDenoiser,
    cosine_schedule,
    ddim_sample,
    dpm_solver_sample,
    edm_sample,
    euler_sample,
    heun_sample,
    last,
    make_timesteps,
)
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.evaluation.metrics import frechet_distance
from attnoise.training.checkpoints import load_checkpoint

SCHEDULE = cosine_schedule(1000)
SOLVERS = {
    "DDIM": (ddim_sample, {}),
    "DDIM, eta 1": (ddim_sample, {"eta": 1.0}),
    "Euler": (euler_sample, {}),
    "Heun": (heun_sample, {"parametrisation": "trig"}),
    "EDM": (edm_sample, {}),
    "DPM-Solver++(2M)": (dpm_solver_sample, {}),
}
STEPS = (4, 5, 6, 8, 10, 14, 20, 30)
THEIRS = {
    "leading": {"timestep_spacing": "leading"},
    "trailing": {"timestep_spacing": "trailing"},
    "karras": {"timestep_spacing": "trailing", "use_karras_sigmas": True},
}


class Timed:
    """A network whose own time is added up."""

    def __init__(self, model) -> None:
        self.model, self.seconds = model, 0.0

    def __call__(self, *arguments):
        start = time.process_time()
        answer = self.model(*arguments)
        self.seconds += time.process_time() - start
        return answer


def noise_and_labels(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1, 8, 8, generator=generator), torch.arange(count) % 10


def compare_overhead(model, rounds: int) -> None:
    x, label = noise_and_labels(100, 0)
    shares: dict[str, list[float]] = {name: [] for name in SOLVERS}
    for turn in range(rounds + 1):
        for name, (solver, options) in SOLVERS.items():
            timed, generator = Timed(model), torch.Generator().manual_seed(0)
            denoiser = NetworkDenoiser(timed, SCHEDULE, "x0", clip=1.0)
            grid = make_timesteps(SCHEDULE, 20)
            start = time.process_time()
            last(solver(denoiser, x, SCHEDULE, generator, timesteps=grid, label=label, **options))
            whole = time.process_time() - start
            if turn:  # the first round warms up
                shares[name].append(1 - timed.seconds / whole)
    print(f"share of a step that is not the network, 100 digits, median of {rounds} rounds:")
    for name, found in shares.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"  {name:17} {middle:5.1%}  (quartiles {low:.1%} to {high:.1%})")


def ours(model, x, label, steps: int) -> torch.Tensor:
    denoiser = NetworkDenoiser(model, SCHEDULE, "x0", clip=1.0)
    grid = make_timesteps(SCHEDULE, steps)
    return last(dpm_solver_sample(denoiser, x, SCHEDULE, timesteps=grid, label=label))


@torch.no_grad()
def theirs(model, x, label, steps: int, options: dict) -> torch.Tensor:
    scheduler = DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="sample", thresholding=False, **options
    )
    scheduler.set_timesteps(steps)
    scheduler.set_begin_index(0)  # with Karras levels two rounded times may be the same
    for t in scheduler.timesteps:
        share = (t.float() + 1) / 1000  # it counts from 0
        x0_hat = model(x, share.expand(len(x)), label).clamp(-1, 1)
        x = scheduler.step(x0_hat, t, x).prev_sample
    return x


def fewest(draw, classifier, real) -> tuple[int, float, float]:
    """Return the fewest steps within 5 % of the best distance, that distance, and the best."""
    means = {}
    for steps in STEPS:
        found = []
        for seed in range(3):
            x, label = noise_and_labels(1000, 100 + seed)
            rounded = ((draw(x, label, steps) + 1) * 8).round().clamp(0, 16) / 8 - 1
            found.append(frechet_distance(classifier.features(rounded), real))
        means[steps] = statistics.mean(found)
    best = min(means.values())
    steps = next(n for n, distance in means.items() if distance <= 1.05 * best)
    return steps, means[steps], best


def compare_speed(model, rounds: int) -> None:
    classifier = digit_classifier()
    real = classifier.features(load_digits("test").images)
    ways = {"ours": lambda x, label, n: ours(model, x, label, n)}
    for name, options in THEIRS.items():
        ways[f"diffusers, {name}"] = lambda x, label, n, options=options: theirs(
            model, x, label, n, options
        )
    found = {name: fewest(draw, classifier, real) for name, draw in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    x, label = noise_and_labels(1000, 0)
    for turn in range(rounds + 1):
        for name, draw in ways.items():
            start = time.process_time()
            draw(x, label, found[name][0])
            if turn:
                seconds[name].append(time.process_time() - start)
    print(f"DPM-Solver++(2M), digits per second with the fewest steps, {rounds} rounds:")
    for name, times in seconds.items():
        steps, distance, best = found[name]
        ratio = statistics.median(b / a for a, b in zip(seconds["ours"], times, strict=True))
        print(
            f"  {name:20} {steps:2d} steps, FD {distance:.3f} (at best {best:.3f}), "
            f"{1000 / statistics.median(times):6.0f} digits/s; ours is {ratio:.2f} times as fast"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    print(f"diffusers {diffusers.__version__}, torch {torch.__version__}, one thread")
    model, _ = load_checkpoint("digits-ddpm")
    compare_overhead(model, options.rounds)
    compare_speed(model, options.rounds)


if __name__ == "__main__":
    main()
