"""How well the main job uses the cores: its wall time, their utilisation, and what starting its steps costs.

Runs the workflow in the current folder, which should have no results yet, and prints a CSV line a measurement.

    python -m benchmarks.main_job results/sample snakemake --cores 2 -- all
"""

import argparse
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil

from benchmarks.measure import seconds

MODULES = {  # what a rule's command imports before it begins to work
    "train": "rem.training.train",
    "couplings": "rem.trees.couplings",
    "transfer": "rem.trees.couplings",
    "trajectory_couplings": "rem.trees.couplings",
    "stack_decoder": "rem.reconstruction.perturb",
    "perturb": "rem.reconstruction.perturb",
    "entropy": "rem.trees.dictionaries",
    "entropy_transfer": "rem.trees.dictionaries",
}


def watch(command: list[str]) -> tuple[float, list[tuple[float, float]]]:
    """Run a command; returns its wall seconds and (time, share of all cores that was busy) of every second."""
    samples, start = [], time.time()
    psutil.cpu_percent()
    process = subprocess.Popen(command)
    while process.poll() is None:
        time.sleep(1)
        samples.append((time.time(), psutil.cpu_percent() / 100))
    if process.returncode:
        sys.exit(process.returncode)
    return time.time() - start, samples


def starting(results: Path) -> float:
    """Processor seconds that the steps took to start, from how many there were of each and what their imports take."""
    total = 0.0
    for rule, module in MODULES.items():
        jobs = len(list((results / "benchmarks" / rule).glob("*.tsv")))
        importing = partial(subprocess.run, [sys.executable, "-c", f"import {module}"], check=True)
        total += jobs * statistics.median(seconds(importing) for _ in range(3))
    return total


def main() -> None:
    """Run, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    wall, samples = watch(options.command)
    last = max(path.stat().st_mtime for path in (options.results / "models").glob("*/*/*/last.pt"))
    print("measurement,value,unit")
    print(f"wall time,{wall:.0f},s")
    busy = statistics.mean(share for at, share in samples if at <= last)
    print(f"utilisation until the last training ended,{100 * busy:.1f},%")
    print(f"utilisation over all,{100 * statistics.mean(share for _, share in samples):.1f},%")
    share = starting(options.results) / (wall * psutil.cpu_count())
    print(f"starting the steps that use torch or HDF5,{100 * share:.1f},% of the cores' time")


if __name__ == "__main__":
    main()
