"""Memory and time of extracting couplings, against the number of images.

A network with the 4,608 primary capsules of expanded MNIST (few channels before them: they cost no memory that
matters here) and random images of 40x40 pixels. Each size runs in a process of its own; one line of CSV a size.

    python -m benchmarks.extraction 4000 32000
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import torch

from benchmarks.measure import in_new_process
from rem.networks.build import build
from rem.settings.config import read_config
from rem.settings.run import Run
from rem.training.checkpoints import save_checkpoint
from rem.training.device import choose_device
from rem.trees.couplings import extract

BLOCK = 1000  # images written at a time


class Extraction(NamedTuple):
    """What an extraction took: seconds, peak resident memory of the process and size of the file in MB."""

    images: int
    seconds: float
    memory: float
    file: float


def settings() -> Run:
    """A run of the paper's expanded MNIST with a narrow first convolution."""
    config = read_config([Path("config/config.yaml"), Path("config/sample.yaml")])
    run = config.run("expanded-mnist", "baseline", 42)
    network = run.network.model_copy(update={"convolution_channels": 8, "primary_types": 32})
    return run.model_copy(update={"network": network})


def measure(images: int, levels: int) -> Extraction:
    """Extract the couplings of so many images with the accuracy at all K up to `levels`."""
    run, cpu = settings(), choose_device("cpu", os.cpu_count())
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        prepared, checkpoint, target = (Path(folder, name) for name in ("data.h5", "best.pt", "best.test.h5"))
        with h5py.File(prepared, "w") as file:
            file.attrs["class_names"] = [str(label) for label in range(run.data.classes)]
            shape = (1, run.data.size, run.data.size)
            pixels = file.create_dataset("test/images", (images, *shape), np.uint8, chunks=(64, *shape))
            for start in range(0, images, BLOCK):
                block = pixels[start : start + BLOCK].shape
                pixels[start : start + BLOCK] = draw.integers(0, 256, block, np.uint8)
            file["test/labels"] = draw.integers(0, run.data.classes, images)
        save_checkpoint(checkpoint, build(run, cpu).state_dict(), run, 1)
        start = time.perf_counter()
        extract(checkpoint, prepared, "test", levels, target, cpu)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return Extraction(images, seconds, peak, target.stat().st_size / 1e6)


def main() -> None:
    """Measure every size given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=int, nargs="+")
    parser.add_argument("--levels", type=int, default=11, help="the largest K")
    options = parser.parse_args()
    print("images,seconds,peak_memory_mb,file_mb", flush=True)
    for images in options.images:
        found = in_new_process(measure, images, options.levels)
        print(f"{found.images},{found.seconds:.1f},{found.memory:.0f},{found.file:.0f}", flush=True)


if __name__ == "__main__":
    main()
