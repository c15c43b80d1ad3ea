"""How time and memory grow with batch size B, primary capsules I, classes J, images N and levels K.

Writes `growth.csv`, a row a measurement, and `growth.png` into the folder given. Each measurement has a process
of its own; its memory is what the work takes at the most beyond what was there before, in an extraction the whole
process's.

    python -m benchmarks.growth results/bench
"""

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from benchmarks import extraction, sides
from benchmarks.measure import in_new_process, peak_memory, seconds
from rem.figures import style
from rem.networks.routing import route

AXES = {
    "B": "batch size B\n(routing, I 1,152, J 10)",
    "I": "primary capsules I\n(routing, B 128, J 10)",
    "J": "classes J\n(routing, B 128, I 288)",
    "N": "images N\n(extraction, I 4,608, K to 11)",
    "K": "largest K\n(extraction, I 4,608, N 256)",
    "N keys": "images N\n(dictionary, I 1,152, K 11)",
}


def routing(batch: int, capsules: int, classes: int) -> tuple[float, float]:
    """Seconds and MB of routing a batch there and back."""
    torch.set_num_threads(os.cpu_count())
    inputs = sides.routed(capsules, classes, batch)
    return taken(lambda: route(*inputs, 3)[0].sum().backward())


def keys(images: int) -> tuple[float, float]:
    """Seconds and MB of the dictionaries and entropies of so many images."""
    couplings = sides.keys(images, 1_152)
    return taken(lambda: sides.rem_entropy(*couplings))


def extracted(images: int, levels: int) -> tuple[float, float]:
    """Seconds and MB of extracting the couplings of so many images."""
    found = extraction.measure(images, levels)
    return found.seconds, found.memory


def taken(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds, the best of three calls after the first, and MB of the first."""
    memory = peak_memory(call)
    return min(seconds(call) for _ in range(3)), memory


def measurements() -> Iterator[tuple[str, int, tuple[float, float]]]:
    """Axis, value, and what it took."""
    for batch in (16, 32, 64, 128, 256):
        yield "B", batch, in_new_process(routing, batch, 1152, 10)
    for capsules in (288, 576, 1152, 2304, 4608):
        yield "I", capsules, in_new_process(routing, 128, capsules, 10)
    for classes in (10, 25, 50, 100, 200):
        yield "J", classes, in_new_process(routing, 128, 288, classes)
    for images in (256, 512, 1024, 2048, 4096):
        yield "N", images, in_new_process(extracted, images, 11)
    for levels in (8, 16, 32, 64, 128):
        yield "K", levels, in_new_process(extracted, 256, levels)
    for images in (2_500, 5_000, 10_000, 20_000, 40_000):
        yield "N keys", images, in_new_process(keys, images)


def power(values: pd.Series, measured: pd.Series) -> float:
    """The power by which something grows, over the larger half."""
    return np.polyfit(np.log(values.iloc[-3:]), np.log(measured.iloc[-3:]), 1)[0]


def draw(table: pd.DataFrame, target: Path) -> None:
    """Time above, memory below, an axis a column, with the power of growth; dashed: linear."""
    figure, grid = plt.subplots(2, len(AXES), figsize=(1.6 * style.PAGE, 4.2), layout="constrained", sharex="col")
    for (axis, label), column in zip(AXES.items(), grid.T, strict=True):
        own = table[table["axis"] == axis]
        values = own["value"]
        for panel, quantity in zip(column, ("seconds", "memory_mb"), strict=True):
            panel.loglog(values, own[quantity], marker="o", color=style.BLUE, markersize=3, linewidth=1)
            linear = own[quantity].iloc[0] * values / values.iloc[0]
            panel.loglog(values, linear, color=style.GREY, linewidth=0.7, linestyle="--")
            panel.set_title(f"power {power(values, own[quantity]):.2f}")
            panel.set_xticks(values, values.astype(str), rotation=45)
            panel.minorticks_off()
        column[1].set_xlabel(label)
    grid[0, 0].set_ylabel("time (s)")
    grid[1, 0].set_ylabel("peak memory (MB)")
    figure.savefig(target, dpi=200)


def main() -> None:
    """Measure everything and write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for axis, value, (time, memory) in measurements():
        print(f"{axis} {value}: {time:.3f} s, {memory:.0f} MB", flush=True)
        rows.append({"axis": axis, "value": value, "seconds": time, "memory_mb": memory})
    table = pd.DataFrame(rows)
    table.to_csv(folder / "growth.csv", index=False, float_format="%.4g")
    draw(table, folder / "growth.png")


if __name__ == "__main__":
    main()
