"""Run the mutants, compare the survivors with the list, say the score: `make mutants`.

Red where a survivor is not listed, where a listed one is killed or gone, or where fewer than 95 %
of the mutants that are not equivalent are killed.
"""

import json
import os
import random
import sys
import tempfile
import time
import tomllib
from collections import Counter
from functools import partial
from pathlib import Path

import tyro

from .mutants import ROOMS, Mutant, all_mutants
from .quick import try_on_inventory, try_quickly
from .runner import INVENTORY, Baseline, find_killer, preload, share_out, tests_of

LIST = Path(__file__).with_name("survivors.toml")
KILLED_AT_LEAST = 0.95
# Of a sample of 60 from such a room fewer are killed once in a thousand samples.
SAMPLE_KILLED_AT_LEAST = 0.85


def listed() -> dict[str, dict]:
    """The survivors that are known, by name: each with its reason, and whether it is equivalent."""
    return tomllib.loads(LIST.read_text(encoding="utf-8"))


def compare(
    results: dict[str, str], mutants: list[Mutant], known: dict[str, dict]
) -> tuple[list[str], list[str]]:
    """Say what is wrong: survivors that are not listed, and listed mutants that were killed."""
    unlisted, outdated = [], []
    for mutant in mutants:
        killer = results[mutant.name]
        if not killer and mutant.name not in known:
            unlisted.append(f"survived, not listed: {describe(mutant)}")
        if killer and mutant.name in known:
            outdated.append(f"listed, but killed by {killer}: {describe(mutant)}")
    return unlisted, outdated


def describe(mutant: Mutant) -> str:
    """A mutant in the form of the list."""
    return (
        f"\n[{mutant.name}]  # line {mutant.line}\nmodule = {mutant.module!r}\n"
        f"before = {mutant.before!r}\nafter = {mutant.after!r}"
    )


def score(results: dict[str, str], known: dict[str, dict]) -> float:
    """The fraction of mutants that are not equivalent and were killed."""
    counted = [name for name in results if not known.get(name, {}).get("equivalent", False)]
    return sum(bool(results[name]) for name in counted) / max(1, len(counted))


def run(mutants: list[Mutant], workers: int, folder: Path) -> dict[str, str]:
    """Try every mutant, on several processes; {name: the test file that killed it, or ""}."""
    started, done = time.time(), read_results(folder)
    remaining = [mutant for mutant in mutants if mutant.name not in done]
    preload(sorted({path for mutant in mutants for path in tests_of(mutant.module)}))
    files = sorted({path for mutant in remaining for path in tests_of(mutant.module)})
    print(f"measuring {len(files)} test files", flush=True)
    share_out(files, workers, lambda worker, some: [Baseline(folder).of(path) for path in some])
    print(f"{time.time() - started:.0f} s: the quick way", flush=True)
    share_out(remaining, workers, lambda worker, some: work_quickly(some, folder, worker))
    done = read_results(folder)
    remaining = [mutant for mutant in remaining if mutant.name not in done]
    print(f"{time.time() - started:.0f} s: {len(remaining)} are left for the slow way", flush=True)
    share_out(remaining, workers, lambda worker, some: work(some, folder, worker, started))
    done = read_results(folder)
    left = [mutant for mutant in mutants if not done[mutant.name]]
    print(f"{time.time() - started:.0f} s: {len(left)} are left for the inventory", flush=True)
    if left:
        Baseline(folder).of(INVENTORY)
        share_out(left, workers, lambda worker, some: work_on_inventory(some, folder, worker))
    return read_results(folder)


def store(folder: Path, worker: int, mutant: Mutant, killer: str) -> None:
    """Add one result to the worker's file."""
    with (folder / f"results.{worker}").open("a", encoding="utf-8") as file:
        file.write(json.dumps([mutant.name, killer]) + "\n")


def work_quickly(mutants: list[Mutant], folder: Path, worker: int) -> None:
    """One worker's mutants, room by room, the quick way; only what is killed is stored."""
    by_room: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        by_room.setdefault(mutant.module.split("/")[0], []).append(mutant)
    for room, some in by_room.items():
        try_quickly(room, some, Baseline(folder), partial(store, folder, worker))


def work_on_inventory(mutants: list[Mutant], folder: Path, worker: int) -> None:
    """One worker's mutants, tried by what the inventory says; only what is killed is stored."""
    try_on_inventory(mutants, Baseline(folder), partial(store, folder, worker))


def read_results(folder: Path) -> dict[str, str]:
    """What the workers have stored so far; that a test kills a mutant outweighs that others don't."""
    lines = [line for path in folder.glob("results.*") for line in path.read_text().splitlines()]
    pairs = [json.loads(line) for line in lines]
    return {**dict(pairs), **dict(pair for pair in pairs if pair[1])}


def work(mutants: list[Mutant], folder: Path, worker: int, started: float) -> None:
    """One worker's mutants, one after the other, each with an import of its own."""
    baseline = Baseline(folder)
    for i, mutant in enumerate(mutants, start=1):
        killer = find_killer(mutant, baseline)
        store(folder, worker, mutant, killer)
        if not killer or i % 50 == 0:
            seconds = time.time() - started
            where = f"{mutant.module}:{mutant.line}: {mutant.before} -> {mutant.after}"
            print(f"{i}/{len(mutants)}, {seconds:.0f} s", "" if killer else where, flush=True)


def main(
    rooms: tuple[str, ...] = ROOMS,
    sample: int = 0,
    seed: int = 0,
    workers: int = 2,
    only: str = "",
    names: tuple[str, ...] = (),
    resume: Path | None = None,
) -> None:
    """Run the mutation tests.

    Args:
        rooms: the package's rooms whose modules are changed
        sample: how many mutants to draw; 0 takes all
        seed: of the draw
        workers: processes that run at the same time
        only: a part of a module's path, such as masks
        names: of single mutants, as a report gives them
        resume: a folder that keeps what was found; a run that was stopped goes on from there
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    mutants, known = all_mutants(rooms), listed()
    # A listed mutant that no module yields any more: its line was changed, so look again.
    gone = [
        name
        for name, entry in known.items()
        if entry["module"].split("/")[0] in rooms and name not in {m.name for m in mutants}
    ]
    mutants = [mutant for mutant in mutants if only in mutant.module]
    if names:
        mutants = [mutant for mutant in mutants if mutant.name in names]
    if sample:
        mutants = random.Random(seed).sample(mutants, min(sample, len(mutants)))
    print(f"{len(mutants)} mutants", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = resume or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results = run(mutants, workers, folder)
    unlisted, outdated = compare(results, mutants, known)
    outdated += [f"listed, but gone: [{name}] of {known[name]['module']}" for name in gone]
    made = Counter(mutant.module.split("/")[0] for mutant in mutants)
    killed = Counter(m.module.split("/")[0] for m in mutants if results[m.name])
    for room in made:
        print(f"{room:14} {made[room]:5} mutants, {killed[room]:5} killed")
    found = score(results, known)
    print(f"{found:.1%} of the mutants that are not equivalent are killed ({len(mutants)} tried)")
    print("\n".join(unlisted + outdated))
    # A sample tells how good the tests are; that every survivor is listed, the whole run asks.
    too_few = found < (SAMPLE_KILLED_AT_LEAST if sample else KILLED_AT_LEAST)
    if too_few or outdated or (unlisted and not sample):
        sys.exit(1)


if __name__ == "__main__":
    tyro.cli(main)
