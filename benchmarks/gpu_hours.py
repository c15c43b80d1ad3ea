"""An estimate of the GPU-hours that `config/paper.yaml` takes, by dataset, as a Markdown table.

Operations are counted by PyTorch on the networks themselves; the rate, the epochs until patience ends a run and the
passes of a threshold search are assumptions, which the table's caption states.

    python -m benchmarks.gpu_hours --tflops 15 --epochs 390
"""

import argparse
from collections import Counter

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import sides
from rem.networks.build import build
from rem.settings.config import Config
from rem.settings.run import Run

BATCH = 8
IMAGES = {
    "mnist": 60_000,
    "fashion-mnist": 60_000,
    "cifar10": 50_000,
    "tiny-imagenet": 100_000,
}  # to train and validate
SEARCH_PASSES = 6  # of a threshold search, its unpruned pass included


def operations(run: Run) -> tuple[float, float]:
    """Floating-point operations of an image, forward and of a training step; decoders, which take little, left out."""
    model = build(run.model_copy(update={"decoder": None}), torch.device("cpu"))
    data = run.data
    images = torch.zeros(BATCH, data.channels, data.size, data.size)
    with FlopCounterMode(display=False) as forward:
        lengths, _, _ = model(images)
    with FlopCounterMode(display=False) as backward:
        lengths.sum().backward()
    return forward.get_total_flops() / BATCH, (forward.get_total_flops() + backward.get_total_flops()) / BATCH


def estimate(config: Config, epochs: int, tflops: float) -> pd.DataFrame:
    """A row per dataset: its runs, operations and hours."""
    runs = config.selected()
    rows = []
    for dataset, count in Counter(run.dataset for run in runs).items():
        own = [run for run in runs if run.dataset == dataset]
        forward, step = operations(own[0])
        images, held = IMAGES[own[0].data.source], own[0].data.validation
        validation = 10_000 if held == "test" else held
        training = images - (0 if held == "test" else held)
        total = 0.0
        for run in own:
            passes = 1 + (SEARCH_PASSES if run.pruning else 0)
            total += epochs * (training * step + passes * validation * forward)
        rows.append(
            {
                "dataset": dataset,
                "runs": count,
                "forward, GFLOP an image": forward / 1e9,
                "training step, GFLOP an image": step / 1e9,
                "GPU-hours": total / (tflops * 1e12) / 3600,
            }
        )
    table = pd.DataFrame(rows)
    whole = {"dataset": "all", "runs": table["runs"].sum(), "GPU-hours": table["GPU-hours"].sum()}
    return pd.concat([table, pd.DataFrame([whole])], ignore_index=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tflops", type=float, default=15, help="operations a second that are sustained, in 10^12")
    parser.add_argument("--epochs", type=int, default=390, help="of every run: the best one and 200 of patience")
    options = parser.parse_args()
    table = estimate(sides.paper_config(), options.epochs, options.tflops)
    print(f"At {options.tflops:g} TFLOP/s sustained, {options.epochs} epochs a run, {SEARCH_PASSES} passes a search:\n")
    print(table.astype(object).fillna("").to_markdown(index=False, floatfmt=("", "", ".2f", ".2f", ".0f")))


if __name__ == "__main__":
    main()
