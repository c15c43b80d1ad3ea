"""Are convolutions faster with the channels first or last in memory? A training step of each dataset of configs.

Both orders take turns, one thread. `rem.networks.build` chooses by what this showed with AVX2.

    python -m benchmarks.layout config/laptop.yaml
"""

import argparse
import time
from pathlib import Path

import torch
from tabulate import tabulate

from benchmarks.connections import Timed, medians
from rem.networks.build import build, lay_out
from rem.networks.losses import margin_loss
from rem.settings.config import read_config
from rem.settings.run import Run
from rem.training.adam import Adam
from rem.training.device import choose_device

ORDERS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}


def training_step(run: Run, order: torch.memory_format) -> Timed:
    """Seconds of a step of a run's network, its convolutions in that order, on a random batch."""
    model, data, count = build(run, torch.device("cpu")).train(), run.data, run.training.batch_size
    lay_out(model, order)
    images = torch.randn(count, data.channels, data.size, data.size)
    labels = torch.randint(data.classes, (count,))
    optimizer = Adam([parameter for parameter in model.parameters() if parameter.requires_grad])

    def call() -> tuple[float]:
        start = time.perf_counter()
        optimizer.backward(margin_loss(model(images)[0], labels))
        optimizer.step(1e-4)
        return (time.perf_counter() - start,)

    return call


def main() -> None:
    """Print the table, a row a dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", type=Path, nargs="+", help="laid over config/config.yaml")
    parser.add_argument("--rounds", type=int, default=10, help="of which the medians are taken")
    options = parser.parse_args()
    choose_device("cpu", 1)
    config = read_config([Path("config/config.yaml"), *options.configs])
    rows = []
    for dataset in dict.fromkeys(run.dataset for run in config.selected()):
        torch.manual_seed(0)
        run = config.run(dataset, "baseline", 42)
        found = medians({name: training_step(run, order) for name, order in ORDERS.items()}, options.rounds)
        first, last = (1000 * seconds for (seconds,) in found.values())
        rows.append([dataset, first, last, last / first])
    print(f"of this processor torch uses {torch.backends.cpu.get_cpu_capability()}", end="\n\n")
    print(tabulate(rows, ["a training step (ms)", *ORDERS, "ratio"], floatfmt=".2f", tablefmt="pipe"))


if __name__ == "__main__":
    main()
