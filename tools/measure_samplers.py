"""Measure how many network calls the shipped digit model needs: `make checkpoints`.

Each solver draws 1,000 digits, as many of each class, with several numbers of network calls and
seeds, all from the same noise for the same seed. The Fréchet distance to unseen digits stands in
`checkpoints/digits-samplers.json`, beside the floor and the per-class Gaussian. It can be stopped
and started again.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from train_digits import stored

from attnoise.data import load_digits
from attnoise.diffusion import (
    NetworkDenoiser,
    cosine_schedule,
    ddim_sample,
    ddpm_sample,
    dpm_solver_sample,
    heun_sample,
    last,
    make_timesteps,
)
from attnoise.evaluation.baselines import PerClassGaussian
from attnoise.evaluation.classifiers import digit_classifier
from attnoise.evaluation.metrics import frechet_distance, frechet_floor
from attnoise.training.checkpoints import FOLDER, load_checkpoint
from attnoise.training.files import write_atomically

SAMPLES = 1000
CALLS = (4, 6, 8, 10, 14, 20, 30, 50, 100)
LONG = {"DDPM": 1000}  # network calls of the reference
SPACINGS = ("even", "leading", "karras", "log_snr")
SCHEDULE = cosine_schedule(1000)
SOLVERS = {
    "DDIM": (ddim_sample, {}),
    "Heun": (heun_sample, {"parametrisation": "ve"}),
    "Heun, trig": (heun_sample, {"parametrisation": "trig"}),
    "DPM-Solver++(2M)": (dpm_solver_sample, {}),
}


def draw(denoiser, solver: str, calls: int, seed: int, spacing: str = "even") -> torch.Tensor:
    """Draw 1,000 digits with a solver and so many network calls (Heun: one fewer)."""
    generator = torch.Generator().manual_seed(2000 + seed)
    noise = torch.randn(SAMPLES, 1, 8, 8, generator=generator)
    label = torch.arange(SAMPLES) % 10
    if solver == "DDPM":
        grid = make_timesteps(SCHEDULE, calls, "trailing")
        steps = ddpm_sample(denoiser, noise, SCHEDULE, generator, timesteps=grid, label=label)
    else:
        kind, options = SOLVERS[solver]
        grid = make_timesteps(SCHEDULE, calls // 2 if kind is heun_sample else calls, spacing)
        steps = kind(denoiser, noise, SCHEDULE, timesteps=grid, label=label, **options)
    return stored(last(steps))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=FOLDER / "digits-samplers.json")
    parser.add_argument("--memory", type=Path, default=Path("_build/training/samplers.json"))
    options = parser.parse_args()

    model, card = load_checkpoint("digits-ddpm")
    digits, unseen, judge = load_digits("train"), load_digits("test"), digit_classifier()
    real = judge.features(unseen.images)
    known = json.loads(options.memory.read_text()) if options.memory.exists() else {}
    options.memory.parent.mkdir(parents=True, exist_ok=True)

    def distance(solver, calls, seed, spacing="even", clip=1.0):
        key = f"{solver} {calls} {seed} {spacing} {clip}"
        if key not in known:
            start = time.process_time()
            denoiser = NetworkDenoiser(model, SCHEDULE, card["target"], clip=clip)
            samples = draw(denoiser, solver, calls, seed, spacing)
            found = frechet_distance(judge.features(samples), real)
            known[key] = round(found, 4), round(time.process_time() - start, 1)
            write_atomically({options.memory: json.dumps(known).encode()})
            print(key, known[key], file=sys.stderr, flush=True)
        return known[key][0]

    seeds = range(options.seeds)
    by_calls = {
        solver: {str(n): [distance(solver, n, seed) for seed in seeds] for n in CALLS}
        for solver in ("DDPM", *SOLVERS)
    }
    by_spacing = {
        spacing: {
            str(n): [distance("DPM-Solver++(2M)", n, seed, spacing) for seed in seeds]
            for n in (6, 10, 20)
        }
        for spacing in SPACINGS
    }
    unclipped = {
        str(n): [distance("DPM-Solver++(2M)", n, seed, "even", None) for seed in seeds]
        for n in (6, 10, 20)
    }
    references = {
        solver: [distance(solver, n, seed) for seed in seeds] for solver, n in LONG.items()
    }
    gaussian = PerClassGaussian(*digits).sample(
        torch.arange(SAMPLES) % 10, torch.Generator().manual_seed(0)
    )
    floor = frechet_floor(judge.features(digits.images), real, SAMPLES, seed=0)
    result = {
        "task": "Fréchet distance of 1,000 generated digits to unseen ones, by network calls",
        "feature": f"FD-{judge.feature_name}",
        "model": "digits-ddpm",
        "model_sha256": card["sha256"],
        "samples": SAMPLES,
        "seeds": options.seeds,
        "clip": 1.0,
        "by_solver_and_calls": by_calls,
        "dpm_solver_by_spacing_and_calls": by_spacing,
        "dpm_solver_without_clipping_by_calls": unclipped,
        "references_with_1000_calls": references,
        "baseline_per_class_gaussian": round(
            frechet_distance(judge.features(stored(gaussian)), real), 3
        ),
        "floor": [round(x, 3) for x in floor],
        "cpu_seconds": round(sum(seconds for _, seconds in known.values())),
        "torch": torch.__version__,
    }
    write_atomically({options.out: (json.dumps(result, indent=2) + "\n").encode()})
    print(f"wrote {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
