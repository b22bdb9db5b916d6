"""Run every benchmark, one after the other, each in a process of its own: `make bench`."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = ("attention", "digits", "gpt", "samplers", "mnist", "dit", "text_to_image")


def main() -> None:
    root = Path(__file__).parents[1]
    for name in BENCHMARKS:
        print(f"\n=== {name} ===", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=root, check=True)


if __name__ == "__main__":
    main()
